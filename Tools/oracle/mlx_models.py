"""Writes Fixtures/*/mlx*: python Tools/oracle/mlx_models.py [CASE ...]

With mlx 0.32.4 (mlx[cpu]) and mlx-lm 0.32.2 beside torch and transformers. mlx-lm's own code reads what transformers
has saved, names and lays it out its way (`sanitize`), and saves it. That it computes the same from it is asserted,
in single precision; the golden is transformers' own, exact.
"""

import json
import shutil
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import mlx.core as mx
import numpy as np
import torch
import transformers
from mlx_lm.utils import load_model, save_model

from exact import FIXTURES, exact_outputs, write_golden

mx.set_default_device(mx.cpu)


@dataclass
class Case:
    model: str
    config: dict
    own: dict = field(default_factory=dict)  # what else mlx-lm reads of the config
    without: str = ""  # what mlx-lm does not want before names


EXPERTS = {
    "vocab_size": 40,
    "hidden_size": 12,
    "num_hidden_layers": 2,
    "num_attention_heads": 3,
    "num_key_value_heads": 1,
    "num_experts_per_tok": 2,
    "max_position_embeddings": 64,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": 0,
}
QWEN = EXPERTS | {"num_experts": 4, "moe_intermediate_size": 10, "intermediate_size": 14}

CASES = {
    "mixtral/mlx": Case(
        "MixtralForCausalLM",
        EXPERTS | {"num_local_experts": 4, "intermediate_size": 10},
        {"rope_theta": 1e6},
    ),
    "mixtral/mlx_qwen2_moe": Case(
        "Qwen2MoeForCausalLM",
        QWEN | {"shared_expert_intermediate_size": 6, "rope_theta": 1e4},
        {"rope_theta": 1e4, "num_experts": 4},
    ),
    "mixtral/mlx_qwen3_moe": Case(
        "Qwen3MoeForCausalLM",
        QWEN | {"norm_topk_prob": True, "head_dim": 4, "mlp_only_layers": [1]},
        {"rope_theta": 1e4, "num_experts": 4},
    ),
    "mixtral/mlx_olmoe": Case(
        "OlmoeForCausalLM",
        EXPERTS | {"num_experts": 4, "num_key_value_heads": 3, "intermediate_size": 10},
        {"rope_theta": 1e4, "num_experts": 4},
    ),
    "gpt2/mlx": Case(
        "GPT2LMHeadModel",
        {"vocab_size": 40, "n_embd": 12, "n_layer": 2, "n_head": 3, "n_positions": 16}
        | {"bos_token_id": 1, "eos_token_id": 2},
        {"n_ctx": 16},
        without="transformer.",
    ),
    "gptneox/mlx": Case(
        "GPTNeoXForCausalLM",
        {"vocab_size": 40, "hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2}
        | {"intermediate_size": 32, "hidden_act": "gelu_new", "max_position_embeddings": 32}
        | {"bos_token_id": 1, "eos_token_id": 2},
        {"rotary_emb_base": 10000, "rotary_pct": 0.5},
    ),
}


def random_model(case, seed):
    kind = getattr(transformers, case.model)
    implementation = {"attn_implementation": "eager", "experts_implementation": "eager"}
    model = kind(kind.config_class(**case.config, **implementation)).eval()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, tensor in model.named_parameters():
            mean = 1 if "norm" in name and name.endswith("weight") or "ln_" in name else 0
            noise = torch.randn(tensor.shape, generator=generator, dtype=torch.float64)
            tensor.copy_(mean + 0.3 * noise)
    return model


def write(name):
    case, folder = CASES[name], FIXTURES / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    model = random_model(case, len(name))
    tokens = np.random.default_rng(len(name)).integers(3, 40, (2, 9))
    with tempfile.TemporaryDirectory() as place:
        place = Path(place)
        model.save_pretrained(place)
        config = json.loads((place / "config.json").read_text())
        config.pop("rope_parameters", None)
        (place / "config.json").write_text(json.dumps(config | case.own))
        if case.without:
            from safetensors.torch import load_file, save_file

            weights = load_file(place / "model.safetensors")
            weights = {key.removeprefix(case.without): weights[key] for key in weights}
            save_file(weights, place / "model.safetensors")
        theirs, _ = load_model(place)
        logits = np.array(theirs(mx.array(tokens)).astype(mx.float32), dtype=np.float64)
        save_model(folder, theirs)
        (folder / "model.safetensors.index.json").unlink()
        shutil.copy(place / "config.json", folder)
    inputs = {"input_ids": tokens}
    outputs = exact_outputs(model, inputs)
    worst = np.abs(outputs["logits"] - logits).max() / np.abs(logits).max()
    assert worst < 1e-5, f"{name}: {worst:.1e}"
    write_golden(folder / "golden.npz", model, inputs, outputs)
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    print(f"{name:28}{size:8} bytes, {worst:.1e} from mlx-lm in single precision")


if __name__ == "__main__":
    for given in sys.argv[1:] or CASES:
        write(given)
