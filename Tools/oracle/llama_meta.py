"""Writes Fixtures/llama/meta*: python Tools/oracle/llama_meta.py FOLDER [CASE ...]

FOLDER is a copy of the original code, meta-llama/llama-models at a9c89c471f79 (2025-07-15), with
fairscale 0.4.9 on the Python path: models/llama3/model.py is run as it is, on the CPU, in float64 (its
requests for float32 are lifted as everywhere). Its own `state_dict` gives names and shapes, its own
`forward` the logits.

Meta saves consolidated.00.pth; the state dict is stored here as safetensors.
The Hugging Face model beside them has the same weights, with the pairs of each rotated head taken
apart into halves; that it computes the same is asserted by converted.py.
"""

import json
import os
import shutil
import sys
import tempfile
import types
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path

import numpy as np
import torch
import torch.multiprocessing
from safetensors.torch import save_file
from transformers import LlamaConfig, LlamaForCausalLM

from converted import original_folder, write_converted, write_huggingface, write_original
from exact import FIXTURES, golden

FOLDER = original_folder("LLAMA_MODELS", "meta-llama/llama-models")
sys.dont_write_bytecode = True

PARAMS = {
    "dim": 16,
    "n_layers": 1,
    "n_heads": 4,
    "n_kv_heads": 2,
    "vocab_size": 36,
    "multiple_of": 8,
    "ffn_dim_multiplier": 0.6,
    "norm_eps": 1e-5,
    "rope_theta": 500000.0,
}


@dataclass
class Case:
    params: dict = field(default_factory=dict)
    edit: object = None  # changes what is stored beside the weights
    dtype: torch.dtype = torch.bfloat16


def of_llama_2(folder):
    """No base, the vocabulary's size unknown, and the frequencies among the weights."""
    path = folder / "params.json"
    params = json.loads(path.read_text())
    del params["rope_theta"]
    path.write_text(json.dumps(params | {"vocab_size": -1}))


CASES = {
    "meta": Case(dtype=torch.float32),
    "meta_scaled": Case({"use_scaled_rope": True, "rope_theta": 3e6}),
    "meta_llama_2": Case(
        {"n_kv_heads": None, "rope_theta": 10000.0, "ffn_dim_multiplier": None},
        edit=of_llama_2,
    ),
}


# --- The original ----------------------------------------------------------------------------


def original():
    """Meta's module, without the rest of its package, in this process's share of the ranks."""
    for name in ("models", "models.llama3"):
        package = types.ModuleType(name)
        package.__path__ = [str(FOLDER / name.replace(".", "/"))]
        sys.modules[name] = package
    return import_module("models.llama3.model"), import_module("models.llama3.args")


def begin(place):
    """fairscale's layers ask how many ranks there are: one."""
    import fairscale.nn.model_parallel.initialize as ranks

    torch.distributed.init_process_group(
        "gloo", init_method=f"file://{place}/ranks", rank=0, world_size=1
    )
    ranks.initialize_model_parallel(1)


def lifted_transformer(params):
    """The model with every single-precision number lifted, complex ones too."""
    model, args = original()
    return model.Transformer(args.ModelArgs(**params, max_batch_size=2, max_seq_len=16))


def randomised(shapes, seed, dtype):
    generator = torch.Generator().manual_seed(seed)
    weights = {}
    for name, shape in shapes.items():
        mean = 1 if "norm" in name else 0
        noise = torch.randn(shape, generator=generator, dtype=torch.float64)
        weights[name] = (mean + 0.3 * noise).to(dtype)
    return weights


def run(rank, place, params, seed, dtype, tokens):
    """Random weights and what Meta's code computes from them, in a process of its own."""
    torch.set_num_threads(1)
    begin(place)
    with golden.lifted() as offenders, torch.inference_mode():
        model = lifted_transformer(params)
        shapes = {name: tensor.shape for name, tensor in model.state_dict().items()}
        weights = randomised(shapes, seed, dtype)
        model.load_state_dict({name: tensor.double() for name, tensor in weights.items()})
        offenders.clear()  # the weights themselves are narrow
        logits = model.double()(tokens, 0)
        assert logits.dtype == torch.float64 and not offenders, offenders
    save_file(weights, Path(place) / "model.safetensors")
    np.save(Path(place) / "logits.npy", logits.numpy())


# --- The same weights for transformers ---------------------------------------------------------


def in_halves(weight, heads):
    """Rows of neighbouring pairs as rows of halves, head by head."""
    rows, width = weight.shape
    return weight.reshape(heads, rows // heads // 2, 2, width).transpose(1, 2).reshape(rows, width)


NAMES = {
    "attention.wq": "self_attn.q_proj",
    "attention.wk": "self_attn.k_proj",
    "attention.wv": "self_attn.v_proj",
    "attention.wo": "self_attn.o_proj",
    "feed_forward.w1": "mlp.gate_proj",
    "feed_forward.w2": "mlp.down_proj",
    "feed_forward.w3": "mlp.up_proj",
    "attention_norm": "input_layernorm",
    "ffn_norm": "post_attention_layernorm",
    "tok_embeddings": "embed_tokens",
}


def huggingface_model(params, weights, dtype):
    heads, key_heads = params["n_heads"], params["n_kv_heads"] or params["n_heads"]
    state = {}
    for name, weight in weights.items():
        if name.endswith("wq.weight"):
            weight = in_halves(weight, heads)
        if name.endswith("wk.weight"):
            weight = in_halves(weight, key_heads)
        for theirs, ours in NAMES.items():
            name = name.replace(theirs, ours)
        state[name if name == "output.weight" else f"model.{name}"] = weight
    state["lm_head.weight"] = state.pop("output.weight")
    rotary = {"rope_type": "default", "rope_theta": params["rope_theta"]}
    if params.get("use_scaled_rope"):
        rotary |= {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0}
        rotary |= {"high_freq_factor": 4.0, "original_max_position_embeddings": 8192}
    config = LlamaConfig(
        vocab_size=params["vocab_size"],
        hidden_size=params["dim"],
        intermediate_size=len(weights["layers.0.feed_forward.w1.weight"]),
        num_hidden_layers=params["n_layers"],
        num_attention_heads=heads,
        num_key_value_heads=key_heads,
        rms_norm_eps=params["norm_eps"],
        rope_parameters=rotary,
        architectures=["LlamaForCausalLM"],
    )
    model = LlamaForCausalLM(config).to(dtype).eval()
    model.load_state_dict(state, strict=True)
    return model


def write(name):
    from safetensors.torch import load_file

    case, folder = CASES[name], FIXTURES / "llama" / name
    params = PARAMS | case.params
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    tokens = torch.from_numpy(np.random.default_rng(len(name)).integers(0, 36, (2, 9)))
    with tempfile.TemporaryDirectory() as place:
        arguments = (place, params, len(name), case.dtype, tokens)
        torch.multiprocessing.spawn(run, arguments, nprocs=1)
        weights = load_file(Path(place) / "model.safetensors")
        logits = np.load(Path(place) / "logits.npy")
    write_original(
        folder, {"input_ids": tokens.numpy()}, {"logits": logits}, framework="llama-models a9c89c4"
    )
    write_huggingface(folder, huggingface_model(params, weights, case.dtype))
    (folder / "config.json").unlink()
    (folder / "params.json").write_text(
        json.dumps({key: value for key, value in params.items() if value is not None})
    )
    if case.edit:
        case.edit(folder)
    if name == "meta_llama_2":
        size = params["dim"] // params["n_heads"]
        frequencies = 1.0 / (10000.0 ** (torch.arange(0, size, 2)[: size // 2].float() / size))
        weights["rope.freqs"] = frequencies.to(torch.bfloat16)
    save_file(weights, folder / "model.safetensors")
    write_converted(folder)


if __name__ == "__main__":
    os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
    for given in sys.argv[2:] or CASES:
        write(given)
