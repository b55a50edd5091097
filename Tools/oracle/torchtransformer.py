"""Writes the fixtures of PyTorch's own modules of the Transformer: python Tools/oracle/torchtransformer.py [CASE ...]

The goldens are those of the module itself in float64, without its fast path, which gives zeros where padding is. The
config has the arguments of the constructor, and `src_is_causal` and `tgt_is_causal` of the calls.
"""

import json
import shutil
import sys
import zlib
from dataclasses import dataclass, field

import numpy as np
import torch
from safetensors.torch import save_file
from torch import nn

from exact import FIXTURES, write_npz
from fixture import randomise

FOLDER = FIXTURES / "torchtransformer"
SIZES = {"d_model": 12, "nhead": 3, "dim_feedforward": 10}
LAYER = {"activation": "relu", "layer_norm_eps": 1e-5, "norm_first": False, "bias": True}


@dataclass
class Case:
    model: str
    config: dict = field(default_factory=dict)
    norm: bool = True  # behind an encoder or a decoder alone
    padding: bool = True
    file: str = "model.safetensors"


WHOLE = {"num_encoder_layers": 2, "num_decoder_layers": 2}
CASES = {
    "whole": Case("Transformer", WHOLE),
    "whole_pre_norm": Case(
        "Transformer", WHOLE | {"norm_first": True, "activation": "gelu", "num_decoder_layers": 1}, file="pytorch_model.bin"
    ),
    "whole_no_bias": Case(
        "Transformer", {"num_encoder_layers": 1, "num_decoder_layers": 1, "bias": False, "tgt_is_causal": False}
    ),
    "encoder": Case("TransformerEncoder", {"num_layers": 2, "layer_norm_eps": 1e-3}, norm=False),
    "encoder_no_bias": Case(
        "TransformerEncoder",
        {"num_layers": 1, "norm_first": True, "bias": False, "src_is_causal": True},
        padding=False,
    ),
    "decoder": Case("TransformerDecoder", {"num_layers": 2, "activation": "gelu"}),
    "decoder_pre_norm": Case("TransformerDecoder", {"num_layers": 1, "norm_first": True, "nhead": 2}, norm=False),
    "encoder_layer": Case("TransformerEncoderLayer", {"norm_first": True}),
    "decoder_layer": Case("TransformerDecoderLayer", {"activation": "gelu"}),
}


def module(case, dtype=torch.float32):
    """The module of a case, with two arguments of its own calls left out."""
    config = SIZES | LAYER | case.config
    layer = {key: config[key] for key in (*SIZES, *LAYER)}
    layer |= {"dropout": 0.0, "batch_first": True, "dtype": dtype}
    if case.model == "Transformer":
        return nn.Transformer(**layer, **{key: config[key] for key in WHOLE})
    if case.model.endswith("Layer"):
        return getattr(nn, case.model)(**layer)
    norm = nn.LayerNorm(config["d_model"], eps=config["layer_norm_eps"], bias=config["bias"], dtype=dtype)
    one = getattr(nn, case.model + "Layer")(**layer)
    options = {"enable_nested_tensor": False} if case.model == "TransformerEncoder" else {}
    return getattr(nn, case.model)(one, config["num_layers"], norm if case.norm else None, **options)


def inputs(case, random):
    config = SIZES | case.config
    masks = {9: [[1] * 9, [1] * 6 + [0] * 3, [0] * 2 + [1] * 5 + [0] * 2], 7: [[1] * 7, [1] * 4 + [0] * 3, [1] * 6 + [0]]}
    arrays = {}
    has_encoder = "Encoder" in case.model or case.model == "Transformer"
    names = {"src" if has_encoder else "memory": 9}
    if "Encoder" not in case.model:
        names["tgt"] = 7
    for name, length in names.items():
        arrays[name] = random.standard_normal((3, length, config["d_model"]))
        if case.padding:
            arrays[f"{name}_attention_mask"] = np.array(masks[length], dtype=np.int64)
    if case.padding and case.model == "Transformer":
        arrays["memory_attention_mask"] = np.roll(np.array(masks[9], dtype=np.int64), 1, axis=0)
    return arrays


def outputs(case, model, arrays):
    """What the module gives for the arrays, by its own names of arguments."""
    config = case.config
    given = {name: torch.from_numpy(array) for name, array in arrays.items()}

    def padding(name):
        mask = given.get(f"{name}_attention_mask")
        return None if mask is None else mask == 0

    def causal(name, is_usual):
        if not config.get(f"{name}_is_causal", is_usual):
            return None
        return nn.Transformer.generate_square_subsequent_mask(given[name].shape[1], dtype=torch.float64)

    with torch.no_grad():
        if case.model == "Transformer":
            memory = model.encoder(given["src"], causal("src", False), padding("src"))
            options = {"src_mask": causal("src", False), "tgt_mask": causal("tgt", True)}
            for name in ("src", "tgt", "memory"):
                options[f"{name}_key_padding_mask"] = padding(name)
            output = model(given["src"], given["tgt"], **options)
            return {"memory": memory.numpy(), "output": output.numpy()}
        if "Encoder" in case.model:
            options = {"src_key_padding_mask": padding("src")}
            return {"output": model(given["src"], causal("src", False), **options).numpy()}
        options = {f"{name}_key_padding_mask": padding(name) for name in ("tgt", "memory")}
        return {"output": model(given["tgt"], given["memory"], causal("tgt", True), **options).numpy()}


def centre(name):
    return (1, 0.3) if "norm" in name and name.endswith("weight") else (0, 0.4)


def write(name, folder=FOLDER):
    case, seed = CASES[name], zlib.crc32(name.encode())
    folder = folder / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    model = module(case).eval()
    randomise(model, seed, centre)
    state = model.state_dict()
    config = {"model_type": "torch_transformer", "architectures": [case.model]}
    config |= SIZES | LAYER | case.config
    (folder / "config.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")
    if case.file.endswith(".bin"):
        torch.save(state, folder / case.file)
    else:
        save_file(state, folder / case.file)
    arrays = inputs(case, np.random.default_rng(seed))
    twin = module(case, torch.float64).eval()
    twin.load_state_dict({key: value.double() for key, value in state.items()})
    results = outputs(case, twin, arrays)
    assert all(array.dtype == np.float64 and np.isfinite(array).all() for array in results.values())
    facts = {"framework": f"torch {torch.__version__}", "class": case.model, "precision": "exact-f64", "seed": seed}
    golden = {f"inputs/{key}": array for key, array in arrays.items()}
    golden |= {f"outputs/{key}": array for key, array in results.items()}
    golden["__golden__"] = np.frombuffer(json.dumps(facts).encode(), dtype=np.uint8)
    write_npz(folder / "golden.npz", golden)


if __name__ == "__main__":
    torch.backends.mha.set_fastpath_enabled(False)
    for name in sys.argv[1:] or CASES:
        write(name)
        size = sum(path.stat().st_size for path in (FOLDER / name).iterdir())
        print(f"{name:28}{size:8} bytes")
