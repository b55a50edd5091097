"""Exact goldens for the fixtures.

The lifting to true float64 and the npz writer are those of `Tools/golden`, which stays one
self-contained file for its users; here they get the assertions that fixtures deserve.
"""

import sys
from functools import partial
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from unittest.mock import patch

import numpy as np
import torch
from transformers.utils import logging

ROOT = Path(__file__).resolve().parents[2]
FIXTURES = ROOT / "Fixtures"

logging.disable_progress_bar()
logging.set_verbosity_error()
torch.set_num_threads(1)  # sums in one order: the same bytes on every run


def _module(path):
    """A Python file without the .py suffix, as a module."""
    sys.dont_write_bytecode = True
    loader = SourceFileLoader(path.name, str(path))
    module = module_from_spec(spec_from_loader(path.name, loader))
    loader.exec_module(module)
    return module


golden = _module(ROOT / "Tools" / "golden")


def exact_outputs(model, inputs):
    """All outputs and hidden states in float64; no narrower number may have existed on the way."""
    outputs, precision = golden.run_lifted(model, inputs)
    assert precision == "exact-f64", f"{type(model).__name__} computed below float64"
    assert all(array.dtype == "float64" for array in outputs.values())
    return outputs


def exact_generation(model, inputs, tokens):
    """Greedy continuation with a key/value cache: `sequences`, and the `logits` of each step
    [batch, step, vocabulary], whose first two must be clearly apart. No end token may come up."""
    weights = {name: tensor.double() for name, tensor in model.state_dict().items()}
    tensors = {name: torch.from_numpy(array) for name, array in inputs.items()}
    with golden.lifted() as offenders, torch.no_grad():
        result = golden.rebuild(model, weights).generate(
            **tensors,
            max_new_tokens=tokens,
            min_new_tokens=None,
            do_sample=False,
            use_cache=True,
            eos_token_id=None,
            output_logits=True,
            return_dict_in_generate=True,
        )
    logits = torch.stack(result.logits, dim=1)
    best = logits.topk(2).values
    assert not offenders and logits.dtype == torch.float64 and logits.shape[1] == tokens
    config = getattr(model.config, "text_config", model.config)
    assert not (result.sequences == config.eos_token_id).any()
    assert (best[..., 0] - best[..., 1]).min() > 1e-3, "a greedy choice is too close"
    return {"sequences": result.sequences.numpy(), "logits": logits.numpy()}


def write_golden(path, model, inputs, outputs, **options):
    """Store `outputs` as the exact golden of `model` for `inputs`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(golden.golden_bytes(model, inputs, outputs, "exact-f64", **options))


def write_npz(path, arrays, deflate=False):
    path.parent.mkdir(parents=True, exist_ok=True)
    # `np.ascontiguousarray`, which Tools/golden calls, gives a scalar a dimension
    with patch("numpy.ascontiguousarray", partial(np.asarray, order="C")):
        path.write_bytes(golden.npz_bytes(arrays, deflate))
