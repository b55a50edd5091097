"""Writes Fixtures/*/litgpt*: python Tools/oracle/litgpt_models.py [CASE ...]

With litgpt 0.5.13 (and lightning, which it wants) beside torch and transformers. LitGPT's own code converts what
transformers has saved; what it was called and how it was laid out before 0.5 is taken from today's by the inverse of
the rule with which LitGPT still reads it. That its own model computes the same from either is asserted; the golden is
transformers', exact.

LitGPT saves lit_model.pth; the state dict is stored here as safetensors.
"""

import shutil
import sys
from dataclasses import dataclass

import numpy as np
import torch
import transformers
from litgpt import GPT, Config
from litgpt.scripts import convert_hf_checkpoint as convert
from litgpt.utils import save_config
from safetensors.torch import save_file

from exact import FIXTURES, exact_outputs, write_golden


@dataclass
class Case:
    model: str
    config: dict
    copy: object  # LitGPT's converter
    own: dict  # its config
    is_grouped: bool = False


SIZES = {
    "vocab_size": 36,
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 24,
    "max_position_embeddings": 32,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
OWN = {
    "vocab_size": 36,
    "padded_vocab_size": 36,
    "n_embd": 16,
    "n_layer": 2,
    "n_head": 4,
    "intermediate_size": 24,
    "block_size": 32,
}
LLAMA = OWN | {
    "n_query_groups": 2,
    "rotary_percentage": 1.0,
    "parallel_residual": False,
    "bias": False,
    "norm_class_name": "RMSNorm",
    "norm_eps": 1e-6,
    "mlp_class_name": "LLaMAMLP",
}
SCALED = {
    "rope_type": "llama3",
    "rope_theta": 1e4,
    "factor": 4.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 16,
}


def llama(copy):
    """Converters that gather queries, keys and values of a layer first."""
    return lambda config, state, weights: copy(config, {}, state, weights)


CASES = {
    "llama/litgpt": Case(
        "LlamaForCausalLM",
        SIZES | {"num_key_value_heads": 2, "rope_parameters": SCALED},
        llama(convert.copy_weights_hf_llama),
        LLAMA
        | {
            "name": "llama",
            "rope_adjustments": {
                "factor": 4.0,
                "low_freq_factor": 1.0,
                "high_freq_factor": 4.0,
                "original_max_seq_len": 16,
            },
        },
    ),
    "llama/litgpt_grouped": Case(
        "Qwen2ForCausalLM",
        SIZES | {"num_key_value_heads": 2},
        llama(convert.copy_weights_qwen_2_5),
        LLAMA | {"name": "qwen2", "attn_bias": True},
        is_grouped=True,
    ),
    "llama/litgpt_qwen3": Case(
        "Qwen3ForCausalLM",
        SIZES | {"num_key_value_heads": 2, "head_dim": 6},
        llama(convert.copy_weights_qwen_3),
        LLAMA | {"name": "qwen3", "norm_qk": True, "head_size": 6},
    ),
    "gptneox/litgpt": Case(
        "GPTNeoXForCausalLM",
        SIZES | {"use_parallel_residual": True, "hidden_act": "gelu", "rotary_pct": 0.5},
        convert.copy_weights_gpt_neox,
        OWN | {"name": "gpt_neox", "rotary_percentage": 0.5, "norm_eps": 1e-5},
    ),
}


def random_model(case, seed):
    kind = getattr(transformers, case.model)
    config = kind.config_class(**case.config, attn_implementation="eager")
    model = kind(config).eval()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, tensor in model.named_parameters():
            mean = 1 if "norm" in name and name.endswith("weight") else 0
            noise = torch.randn(tensor.shape, generator=generator, dtype=torch.float64)
            tensor.copy_(mean + 0.3 * noise)
    return model


def grouped(rows, config):
    """For each group its queries, its keys and its values: what `qkv_reassemble` takes apart."""
    size, groups = config.head_size, config.n_query_groups
    queries, keys, values = rows.split([config.n_head * size, groups * size, groups * size])
    parts = zip(queries.chunk(groups), keys.chunk(groups), values.chunk(groups))
    result = torch.cat([part for group in parts for part in group])
    assert torch.equal(convert.qkv_reassemble(result, config), rows)
    return result


def write(name):
    case, folder = CASES[name], FIXTURES / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    model = random_model(case, len(name))
    config = Config(**case.own)
    state = {}
    names = {}
    for key, tensor in model.state_dict().items():
        # What transformers writes, which is not what its module is called.
        key = "embed_out.weight" if "neox" in name and key == "lm_head.weight" else key
        names[key] = tensor
    case.copy(config, state, names)
    if case.is_grouped:
        state = {
            key.replace(".qkv.", ".attn."): grouped(tensor, config) if ".qkv." in key else tensor
            for key, tensor in state.items()
        }
    tokens = torch.from_numpy(np.random.default_rng(len(name)).integers(3, 36, (2, 9)))
    own = GPT(config).eval()
    own.load_state_dict(dict(state), strict=True)
    with torch.no_grad():
        logits = own(tokens).double().numpy()
    inputs = {"input_ids": tokens.numpy()}
    outputs = exact_outputs(model, inputs)
    worst = np.abs(outputs["logits"] - logits).max() / np.abs(logits).max()
    assert worst < 1e-5, f"{name}: {worst:.1e}"
    save_file({key: tensor.contiguous() for key, tensor in state.items()}, folder / "model.safetensors")
    save_config(config, folder)
    model.config.architectures = [case.model]
    model.config.save_pretrained(folder)
    write_golden(folder / "golden.npz", model, inputs, outputs)
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    print(f"{name:28}{size:8} bytes, {worst:.1e} from LitGPT in single precision")


if __name__ == "__main__":
    for given in sys.argv[1:] or CASES:
        write(given)
