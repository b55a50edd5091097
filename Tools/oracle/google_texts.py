"""What the scripts of Google's TensorFlow encoders share: inputs, and how weights and outputs are written."""

import tempfile
from pathlib import Path

import numpy as np

import tf1
from converted import write_huggingface, write_original
from exact import FIXTURES, write_npz

SIZES = {
    "vocab_size": 37,
    "hidden_size": 12,
    "num_attention_heads": 2,
    "intermediate_size": 10,
    "num_hidden_layers": 2,
    "max_position_embeddings": 12,
    "type_vocab_size": 3,
}
BATCH, LENGTH = 3, 7


def inputs():
    """Rows of 7, 4 and 1 tokens."""
    random = np.random.default_rng(0)
    return {
        "input_ids": random.integers(0, SIZES["vocab_size"], (BATCH, LENGTH)),
        "attention_mask": (np.arange(LENGTH) < np.array([[7], [4], [1]])).astype(np.int64),
        "token_type_ids": random.permutation(BATCH * LENGTH).reshape(BATCH, LENGTH) % 3,
    }


def mean(name):
    return (1, 0.3) if "gamma" in name else (0, 0.3)


def write(family, case, forward, model, load, framework):
    """A fixture: the original code's weights and outputs, and the weights as transformers' loader reads them.

    `load` takes the model and the path of a TensorFlow checkpoint.
    """
    folder = FIXTURES / family / case
    given = inputs()
    values, outputs = tf1.run(case, forward, given, mean)
    write_npz(folder / "model.npz", dict(sorted(values.items())))
    write_original(folder, given, outputs, framework=framework, code=forward.__name__)
    for parameter in model.parameters():
        parameter.data.fill_(float("nan"))
    with tempfile.TemporaryDirectory() as scratch:
        tf1.write_checkpoint(values, Path(scratch) / "model.ckpt")
        load(model, str(Path(scratch) / "model.ckpt"))
    model.tie_weights()
    missing = [name for name, parameter in model.named_parameters() if parameter.isnan().any()]
    assert not missing, missing
    write_huggingface(folder, model)
