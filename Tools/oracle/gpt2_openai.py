"""Writes Fixtures/gpt2/openai: python Tools/oracle/gpt2_openai.py FOLDER

FOLDER is a copy of the original code, openai/gpt-2 at 9b63575ef427 (2024-01-26): src/model.py is
run as it is, in float64 (tf1.py), with TensorFlow 2.15.1 (requirements-tf.txt). It creates the
variables, so that every name and shape is its own, and computes the logits.
`load_tf_weights_in_gpt2` of transformers 4.46.3 converts the same weights.

The original takes no mask; padding on the right does not change what stands left of it.
"""

import tempfile
from pathlib import Path

import numpy as np
import tf1
from tf1 import tf
from transformers import GPT2Config, GPT2LMHeadModel
from transformers.models.gpt2.modeling_gpt2 import load_tf_weights_in_gpt2

from converted import original_folder, write_huggingface, write_original
from exact import FIXTURES, write_npz

FOLDER = original_folder("OPENAI_GPT2", "openai/gpt-2")
(model,) = tf1.original(FOLDER / "src", "model")

HPARAMS = {"n_vocab": 37, "n_ctx": 20, "n_embd": 12, "n_head": 3, "n_layer": 2}


def mean(name):
    return (1, 0.3) if name.endswith("/g") else (0, 0.3)


def run_original(given):
    """The variables of the original code, as float32, and its logits."""
    hparams = model.default_hparams()
    hparams.__dict__.update(HPARAMS)
    with tf1.graph().as_default(), tf1.float64_scope():
        results = model.model(hparams=hparams, X=tf.constant(given["input_ids"], tf.int32))
        outputs = {"logits": results["logits"]}
        values = tf1.random_values(tf.global_variables(), "openai", mean)
        with tf1.session(values, outputs) as session:
            return values, session.run(outputs)


def convert(values):
    """The loader takes the model without its head, which is tied."""
    config = GPT2Config(
        vocab_size=HPARAMS["n_vocab"],
        n_positions=HPARAMS["n_ctx"],
        bos_token_id=HPARAMS["n_vocab"] - 1,
        eos_token_id=HPARAMS["n_vocab"] - 1,
        **{name: HPARAMS[name] for name in ("n_embd", "n_head", "n_layer")},
    )
    converted = GPT2LMHeadModel(config)
    for parameter in converted.parameters():
        parameter.data.fill_(float("nan"))
    with tempfile.TemporaryDirectory() as folder:
        tf1.write_checkpoint(values, Path(folder) / "model.ckpt")
        load_tf_weights_in_gpt2(converted.transformer, config, Path(folder) / "model.ckpt")
    assert not any(parameter.isnan().any() for parameter in converted.parameters())
    return converted


def main():
    folder = FIXTURES / "gpt2" / "openai"
    given = {"input_ids": np.random.default_rng(0).integers(0, HPARAMS["n_vocab"], (2, 9))}
    values, outputs = run_original(given)
    write_npz(folder / "model.npz", dict(sorted(values.items())))
    framework = f"openai/gpt-2 9b63575ef427, tensorflow {tf.__version__}"
    write_original(folder, given, outputs, framework=framework, code="model")
    write_huggingface(folder, convert(values))


if __name__ == "__main__":
    main()
