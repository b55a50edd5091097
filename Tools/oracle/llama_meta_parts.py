"""Writes Fixtures/llama/meta_parts*: python Tools/oracle/llama_meta_parts.py LLAMA_MODELS LLAMA [CASE ...]

LLAMA_MODELS is the folder that llama_meta.py takes, LLAMA a copy of meta-llama/llama at 689c7f261b9c
(2025-01-26), for Llama 2. fairscale 0.4.13 is on the Python path.

The weights of Fixtures/llama/meta and meta_llama_2, divided among two processes. Which axis of a tensor is divided
is not written down here: each process runs Meta's code as its rank of two, and takes of a tensor the part whose
shape its own module asks for. What both compute together must be what one has computed alone, in float64.
"""

import os
import shutil
import sys
import types
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import numpy as np
import torch
import torch.multiprocessing
from safetensors.torch import load_file

from exact import FIXTURES, golden

sys.dont_write_bytecode = True
MODELS, LLAMA = (Path(path).resolve() for path in sys.argv[1:3])
RANKS = 2


@dataclass
class Case:
    source: str
    code: str


CASES = {
    "meta_parts": Case("meta", "models.llama3.model"),
    "meta_parts_llama_2": Case("meta_llama_2", "llama.model"),
}


def transformer(case, params):
    """Meta's module, without the rest of its package."""
    for name in ("models", "models.llama3", "llama"):
        package = types.ModuleType(name)
        root = LLAMA if name == "llama" else MODELS
        package.__path__ = [str(root / name.replace(".", "/"))]
        sys.modules[name] = package
    code = import_module(case.code)
    arguments = dict(params, max_batch_size=2, max_seq_len=16)
    return code.Transformer(code.ModelArgs(**arguments))


def part(whole, shape, rank):
    """The rank's part of a tensor, of the shape that it has there."""
    divided = [axis for axis, (a, b) in enumerate(zip(whole.shape, shape)) if a != b]
    if not divided:
        return whole.clone()
    (axis,) = divided
    assert whole.shape[axis] == RANKS * shape[axis]
    return whole.chunk(RANKS, axis)[rank].clone()


def run(rank, name, place):
    import json

    import fairscale.nn.model_parallel.initialize as ranks

    torch.set_num_threads(1)
    torch.distributed.init_process_group(
        "gloo", init_method=f"file://{place}/ranks", rank=rank, world_size=RANKS
    )
    ranks.initialize_model_parallel(RANKS)
    torch.Tensor.cuda = lambda tensor, *_: tensor
    case = CASES[name]
    source = FIXTURES / "llama" / case.source
    weights = load_file(source / "model.safetensors")
    params = json.loads((source / "params.json").read_text())
    if params["vocab_size"] < 0:
        params["vocab_size"] = len(weights["output.weight"])
    with np.load(source / "golden-original.npz") as stored:
        tokens = torch.from_numpy(stored["inputs/input_ids"])
        expected = stored["outputs/logits"]
    with golden.lifted() as offenders, torch.inference_mode():
        model = transformer(case, params)
        shapes = {key: tensor.shape for key, tensor in model.state_dict().items()}
        parts = {key: part(weights[key], shape, rank) for key, shape in shapes.items()}
        model.load_state_dict({key: tensor.double() for key, tensor in parts.items()})
        offenders.clear()
        logits = model.double()(tokens, 0).numpy()
    difference = np.abs(logits - expected).max() / np.abs(expected).max()
    assert difference < 1e-11, difference
    # What files of Llama 1 and 2 hold beside what the code of today asks for.
    parts |= {key: tensor for key, tensor in weights.items() if key not in parts}
    torch.save(parts, FIXTURES / "llama" / name / f"consolidated.{rank:02}.pth")


def write(name):
    import tempfile

    folder = FIXTURES / "llama" / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    with tempfile.TemporaryDirectory() as place:
        torch.multiprocessing.spawn(run, (name, place), nprocs=RANKS)
    shutil.copy(FIXTURES / "llama" / CASES[name].source / "params.json", folder)


if __name__ == "__main__":
    os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
    for given in sys.argv[3:] or CASES:
        write(given)
