"""What the dialect scripts share, and the second step of those that run elsewhere:

    python Tools/oracle/converted.py [FOLDER ...]

The first step, in the ecosystem's own environment, leaves in a fixture's folder the weights in its
dialect, `huggingface/` (the same weights as transformers' own converter reads them) and
`golden-original.npz` (inputs, and what the original code computes from the dialect's weights). This
step runs transformers on `huggingface/` for the same inputs, writes `golden.npz`, and asserts that
the two agree: to 1e-11 of the largest value, since both are true float64.
"""

import json
import os
import shutil
import sys
from pathlib import Path

import numpy as np

from exact import FIXTURES, exact_outputs, golden, write_golden, write_npz


def original_folder(variable, project):
    """The folder of the original code: the first argument, or named by the environment."""
    path = sys.argv[1] if len(sys.argv) > 1 else os.environ.get(variable)
    if not path or not Path(path).is_dir():
        sys.exit(f"usage: {Path(sys.argv[0]).name} FOLDER [CASE ...], FOLDER holding {project}")
    return Path(path).resolve()


def write_original(folder, inputs, outputs, **facts):
    """The golden of the original code."""
    assert all(array.dtype == np.float64 for array in outputs.values())
    arrays = {
        f"inputs/{name}": np.asarray(array, np.float64 if array.dtype.kind == "f" else np.int64)
        for name, array in inputs.items()
    }
    arrays |= {f"outputs/{name}": array for name, array in outputs.items()}
    text = json.dumps({"precision": "exact-f64"} | facts)
    arrays["__golden__"] = np.frombuffer(text.encode(), dtype=np.uint8)
    write_npz(folder / "golden-original.npz", arrays)


def write_huggingface(folder, model):
    """The converted model beside the dialect's weights, and its config among them."""
    target = folder / "huggingface"
    shutil.rmtree(target, ignore_errors=True)
    model.save_pretrained(target, safe_serialization=True)
    (target / "generation_config.json").unlink(missing_ok=True)
    shutil.copy(target / "config.json", folder / "config.json")


def difference(ours, theirs):
    return np.abs(ours - theirs).max() / np.abs(theirs).max()


def is_kept(name):
    """Whether it is an output that tfkit has: no loss, no order of patches, no states in another order."""
    return name not in ("loss", "ids_restore") and not name.startswith("reshaped_hidden_states")


def write_converted(folder):
    """golden.npz of a folder that the first step has written."""
    model = golden.load(folder / "huggingface")
    if model.config.model_type == "vit_mae":
        import mae  # noqa: F401 (which keeps a table from being made in single precision)
    with np.load(folder / "golden-original.npz") as stored:
        original = {name: stored[name] for name in stored.files}
    inputs = {k.removeprefix("inputs/"): v for k, v in original.items() if k.startswith("inputs/")}
    outputs = exact_outputs(model, inputs)
    worst = max(
        difference(original[f"outputs/{name}"], outputs[name])
        for name in outputs
        if f"outputs/{name}" in original
    )
    assert worst < 1e-11, f"{folder}: {worst:.1e} from the original"
    outputs = {name: array for name, array in outputs.items() if is_kept(name)}
    write_golden(folder / "golden.npz", model, inputs, outputs)
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    print(f"{folder.relative_to(FIXTURES)!s:36}{size:8} bytes, {worst:.1e} from the original")


if __name__ == "__main__":
    given = [Path(argument).resolve() for argument in sys.argv[1:]]
    for found in given or sorted(path.parent for path in FIXTURES.rglob("golden-original.npz")):
        write_converted(found)
