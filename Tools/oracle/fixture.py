"""What the scripts of the families share: a case, its random weights, its folder.

Each case is a folder `Fixtures/FAMILY/CASE` with a tiny checkpoint and, unless it is one that must
be refused, the outputs of transformers in true float64. Every weight is random, none is left at the
constant a fresh model has, so that a dropped bias or a swapped pair of vectors shows. A case is
seeded by its name: adding one leaves the others' bytes alone.
"""

import json
import shutil
import sys
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
import transformers
from safetensors.torch import load_file, save_file

from exact import FIXTURES, exact_generation, exact_outputs, golden, write_golden


@dataclass
class Case:
    model: type
    config: dict = field(default_factory=dict)  # what differs from the family's sizes and defaults
    inputs: Callable | None = None  # (random, config) -> named int64 arrays; None: no golden
    keep: tuple = ()  # outputs to store; empty: all
    dtype: torch.dtype = torch.float32
    build: dict = field(default_factory=dict)  # arguments of the model's constructor
    adjust: Callable | None = None  # changes the model once its weights are random
    shard: str = "1GB"
    as_modules: bool = False  # saved as the modules have it: experts stacked, parts fused
    edit: Callable | None = None  # changes the saved folder
    reloads: bool = True  # transformers reads the case as it is meant
    generate: int = 0  # tokens to append greedily; stored in generated.npz


@dataclass
class Family:
    name: str
    config: Callable  # (case, seed) -> the model's config
    cases: dict
    centre: Callable  # name of a parameter -> its mean and standard deviation


# --- Edits: turn what save_pretrained wrote into what others write ---------------------------


def rewrite_weights(folder, change):
    path = folder / "model.safetensors"
    save_file(change(load_file(path)), path, metadata={"format": "pt"})


def as_modules_name_it(folder):
    """The weights under the names of `state_dict()`, which are not those of `save_pretrained`."""
    name = json.loads((folder / "config.json").read_text())["architectures"][0]
    model = getattr(transformers, name).from_pretrained(folder)
    state = {name: value.clone() for name, value in model.state_dict().items()}
    assert set(state) != set(load_file(folder / "model.safetensors"))
    rewrite_weights(folder, lambda _: state)


def rewrite_config(folder, change):
    path = folder / "config.json"
    config = change(json.loads(path.read_text()))
    path.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")


# --- From a case to its folder ---------------------------------------------------------------


LETTERS = "abcdefghijklmnopqrstuvwxyz"
# A vocabulary of BERT's that has every word of small letters.
WORD_PIECES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *LETTERS, *("##" + x for x in LETTERS)]


def norms_near_one(name):
    """Gains of layer normalisations about 1, all other parameters about 0."""
    return (1.0, 0.3) if "norm" in name.lower() and name.endswith("weight") else (0.0, 0.4)


def randomise(model, seed, centre):
    """Normal weights, so large that scores are of a few units: a softmax that is neither flat nor
    one-hot."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            mean, deviation = centre(name)
            noise = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
            parameter.copy_(mean + deviation * noise)


def build(family, case, seed):
    model = case.model(family.config(case, seed), **case.build).to(case.dtype).eval()
    randomise(model, seed, family.centre)
    if case.adjust:
        case.adjust(model)
    return model


def save(case, model, folder):
    shutil.rmtree(folder, ignore_errors=True)
    model.save_pretrained(
        folder, max_shard_size=case.shard, save_original_format=not case.as_modules
    )
    (folder / "generation_config.json").unlink(missing_ok=True)
    if case.edit:
        case.edit(folder)


def write(family, name):
    case, seed = family.cases[name], zlib.crc32(name.encode())
    folder = FIXTURES / family.name / name
    model = build(family, case, seed)
    save(case, model, folder)
    if case.inputs is None:
        return
    inputs = case.inputs(np.random.default_rng(seed), model.config)
    outputs = exact_outputs(model, inputs)
    if case.reloads:
        again = exact_outputs(golden.load(folder, case.model.__name__), inputs)
        assert all(np.array_equal(outputs[key], again[key]) for key in outputs | again), name
    kept = {key: outputs[key] for key in case.keep or outputs}
    write_golden(folder / "golden.npz", model, inputs, kept, seed=seed)
    if case.generate:
        outputs = exact_generation(model, inputs, case.generate)
        write_golden(folder / "generated.npz", model, inputs, outputs, seed=seed, greedy=True)


def main(family):
    for name in sys.argv[1:] or family.cases:
        write(family, name)
        size = sum(path.stat().st_size for path in (FIXTURES / family.name / name).iterdir())
        print(f"{name:28}{size:8} bytes")
