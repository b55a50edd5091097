"""Writes Fixtures/bert/flash_* and Fixtures/gpt2/flash_*: python Tools/oracle/flash_attention.py FOLDER [CASE ...]

FOLDER is a copy of Dao-AILab/flash-attention at 0251105a, whose flash_attn/models/bert.py and gpt.py are run as they are, without the fused kernels,
in float64 (they want the package `einops`). Of BERT its own `inv_remap_state_dict` makes transformers' names of its weights, of GPT-2 its own
`remap_state_dict_hf_gpt2` its names of transformers'; golden.npz is what transformers computes of them, which agrees with the original to 1e-11.
"""

import shutil
import sys
import types
import zlib

import numpy as np
import torch
from transformers import BertConfig, BertForPreTraining, BertModel, GPT2Config, GPT2LMHeadModel

from converted import difference, original_folder, write_huggingface, write_original
from exact import FIXTURES, exact_outputs, write_golden
from fixture import randomise

FOLDER = original_folder("FLASH_ATTENTION", "Dao-AILab/flash-attention")
sys.path.insert(0, str(FOLDER))
# The package itself loads kernels for GPUs.
sys.modules["flash_attn"] = types.ModuleType("flash_attn")
sys.modules["flash_attn"].__path__ = [str(FOLDER / "flash_attn")]
# Of torchvision it takes what drops layers in training.
sys.modules["torchvision"], sys.modules["torchvision.ops"] = types.ModuleType("torchvision"), types.ModuleType("torchvision.ops")
sys.modules["torchvision.ops"].StochasticDepth = lambda p, mode: torch.nn.Identity()
from flash_attn.models import bert as original  # noqa: E402
from flash_attn.models import gpt  # noqa: E402

# What is asked for its type without a group of processes, too.
gpt.ColumnParallelLinear = type("ColumnParallelLinear", (), {})

SIZES = {
    "vocab_size": 23,
    "hidden_size": 12,
    "num_attention_heads": 3,
    "intermediate_size": 20,
    "num_hidden_layers": 2,
    "max_position_embeddings": 12,
    "type_vocab_size": 2,
    "layer_norm_eps": 1e-5,
    "attention_probs_dropout_prob": 0.0,
    "hidden_dropout_prob": 0.0,
}
# case: (the original's class, transformers', what differs)
CASES = {
    "flash_base": (original.BertModel, BertModel, {"hidden_act": "gelu_new"}),
    "flash_pretraining": (original.BertForPreTraining, BertForPreTraining, {}),
}
# Of GPT-2
CAUSAL_SIZES = {
    "vocab_size": 23,
    "n_embd": 12,
    "n_head": 3,
    "n_layer": 2,
    "n_positions": 10,
    "n_inner": 20,
    "attn_pdrop": 0.0,
    "embd_pdrop": 0.0,
    "resid_pdrop": 0.0,
}
CAUSAL_CASES = {
    "flash_lm": {},
    "flash_untied": {
        "activation_function": "gelu",
        "tie_word_embeddings": False,
        "scale_attn_by_inverse_layer_idx": True,
    },
}


def inputs():
    """Rows of 9, 5 and 1 tokens."""
    random = np.random.default_rng(0)
    return {
        "input_ids": random.integers(0, SIZES["vocab_size"], (3, 9)),
        "attention_mask": (np.arange(9) < np.array([[9], [5], [1]])).astype(np.int64),
        "token_type_ids": random.integers(0, 2, (3, 9)),
    }


def centre(name):
    is_norm = any(part in name for part in ("norm", "emb_ln", "ln_")) and name.endswith("weight")
    return (1, 0.3) if is_norm else (0, 0.3)


def write(case):
    original_class, model_class, changes = CASES[case]
    folder = FIXTURES / "bert" / case
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    config = BertConfig(**SIZES | changes, attn_implementation="eager")
    config.position_embedding_type = "absolute"
    own = original_class(config).eval()
    randomise(own, zlib.crc32(case.encode()), centre)
    weights = own.state_dict()
    torch.save(weights, folder / "pytorch_model.bin")
    given = inputs()
    tensors = {name: torch.from_numpy(array) for name, array in given.items()}
    tensors["attention_mask"] = tensors["attention_mask"].bool()
    with torch.no_grad():
        found = own.double()(**tensors)
    outputs = {name: value.numpy() for name, value in found.items() if value is not None}
    write_original(folder, given, outputs, framework="Dao-AILab/flash-attention 0251105a", code=original_class.__name__)
    del config.position_embedding_type
    model = model_class(config)
    prefix = "" if model_class is BertForPreTraining else "bert."
    renamed = original.inv_remap_state_dict({prefix + name: value for name, value in weights.items()}, config)
    renamed = {
        name.removeprefix(prefix).replace(".gamma", ".weight").replace(".beta", ".bias"): value.float()
        for name, value in renamed.items()
    }
    missing, unexpected = model.load_state_dict(renamed, strict=False)
    assert not unexpected and all("decoder.bias" in name or "position_ids" in name for name in missing), (missing, unexpected)
    write_huggingface(folder, model.eval())
    again = exact_outputs(model, given)
    worst = max(difference(outputs[name], again[name]) for name in outputs)
    assert worst < 1e-11, worst
    write_golden(folder / "golden.npz", model, given, {name: again[name] for name in outputs})
    report(folder, worst)


def write_causal(case):
    folder = FIXTURES / "gpt2" / case
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    config = GPT2Config(**CAUSAL_SIZES | CAUSAL_CASES[case], attn_implementation="eager")
    model = GPT2LMHeadModel(config).eval()
    randomise(model, zlib.crc32(case.encode()), centre)
    write_huggingface(folder, model)
    own = gpt.GPTLMHeadModel(config).eval()
    state = {name.removeprefix("transformer."): value for name, value in model.state_dict().items()}
    weights = gpt.remap_state_dict_hf_gpt2({k: v for k, v in state.items() if k != "lm_head.weight"}, config)
    if not config.tie_word_embeddings:
        weights["lm_head.weight"] = state["lm_head.weight"]
    own.load_state_dict(weights)
    torch.save(own.state_dict(), folder / "pytorch_model.bin")
    given = {"input_ids": np.random.default_rng(0).integers(0, config.vocab_size, (3, 9))}
    with torch.no_grad():
        logits = own.double()(torch.from_numpy(given["input_ids"])).logits.numpy()
    write_original(folder, given, {"logits": logits}, framework="Dao-AILab/flash-attention 0251105a", code="GPTLMHeadModel")
    outputs = exact_outputs(model, given)
    worst = difference(logits, outputs["logits"])
    assert worst < 1e-11, worst
    write_golden(folder / "golden.npz", model, given, outputs)
    report(folder, worst)


def report(folder, worst):
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    print(f"{folder.relative_to(FIXTURES)!s:24}{size:8} bytes, {worst:.1e} from the original")


if __name__ == "__main__":
    for name in sys.argv[2:] or [*CASES, *CAUSAL_CASES]:
        (write_causal if name in CAUSAL_CASES else write)(name)
