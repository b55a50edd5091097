"""Writes Fixtures/xlnet/zihangdai_*: python Tools/oracle/xlnet_original.py FOLDER [CASE ...]

FOLDER is a copy of the original code, zihangdai/xlnet at bbaa3a6 (2019-12): modeling.py and xlnet.py are run as they are, in float64
(tf1.py), with TensorFlow 2.15.1 (requirements-tf.txt). They create the variables, so that every name and shape is theirs, and compute the
outputs. `load_tf_weights_in_xlnet` of transformers 4.46.3 converts the same weights.

The original code calls the tanh form "gelu"; the config.json beside the weights says "gelu_new".
"""

import sys
import tempfile
from pathlib import Path

import numpy as np
import tf1
from tf1 import tf
from transformers import XLNetConfig, XLNetLMHeadModel, XLNetModel
from transformers.models.xlnet.modeling_xlnet import load_tf_weights_in_xlnet

from converted import original_folder, write_huggingface, write_original
from exact import FIXTURES, write_npz

FOLDER = original_folder("XLNET", "zihangdai/xlnet")
modeling, xlnet = tf1.original(FOLDER, "modeling", "xlnet")

SIZES = {"d_model": 12, "n_head": 3, "n_layer": 2, "d_inner": 20}
WORDS = 23
BATCH, LENGTH, TARGETS = 3, 7, 2


def inputs():
    """Rows padded at their beginning, of two kinds of tokens."""
    random = np.random.default_rng(0)
    return {
        "input_ids": random.integers(0, WORDS, (BATCH, LENGTH)),
        "attention_mask": (np.arange(LENGTH) >= np.array([[0], [2], [4]])).astype(np.int64),
        "token_type_ids": random.integers(0, 2, (BATCH, LENGTH)),
    }


def permuted():
    """An order in which tokens are seen, and two places to predict."""
    random = np.random.default_rng(1)
    given = inputs()
    orders = np.stack([random.permutation(LENGTH) for _ in range(BATCH)])
    targets = np.zeros((BATCH, TARGETS, LENGTH))
    for row in range(BATCH):
        targets[row, np.arange(TARGETS), random.choice(LENGTH, TARGETS, replace=False)] = 1
    return given | {
        "perm_mask": (orders[:, :, None] <= orders[:, None, :]).astype(np.float64),
        "target_mapping": targets,
    }


def model(ids, mask, types, perm_mask=None, target_mapping=None):
    """The original model, of inputs as those of transformers."""
    config = tf1.HParams(**SIZES, d_head=4, n_token=WORDS, ff_activation="gelu", untie_r=True)
    run = xlnet.RunConfig(
        is_training=False, use_tpu=False, use_bfloat16=False, dropout=0.0, dropatt=0.0, init="normal"
    )
    order = None if perm_mask is None else tf.transpose(tf.cast(perm_mask, tf.float64), [1, 2, 0])
    places = None if target_mapping is None else tf.transpose(tf.cast(target_mapping, tf.float64), [1, 2, 0])
    return xlnet.XLNetModel(
        config,
        run,
        tf.transpose(ids),
        tf.transpose(types),
        1 - tf.cast(tf.transpose(mask), tf.float64),
        perm_mask=order,
        target_mapping=places,
        inp_q=None if places is None else tf.ones([LENGTH, BATCH], tf.float64),
    )


def lm(given):
    own = model(*given)
    with tf.variable_scope("model", reuse=tf.AUTO_REUSE):
        modeling.lm_loss(
            own.get_sequence_output(),
            tf.zeros([TARGETS, BATCH], tf.int32),
            WORDS,
            SIZES["d_model"],
            own.get_initializer(),
            own.get_embedding_table(),
            tie_weight=True,
        )
    logits = [
        operation.outputs[0]
        for operation in tf.get_default_graph().get_operations()
        if "lm_loss" in operation.name and operation.type == "AddV2" and operation.outputs[0].shape.rank == 3
    ]
    return {"logits": tf.transpose(logits[0], [1, 0, 2])}


def base(given):
    # The vector of what is to be predicted is created with two streams alone.
    everywhere = tf.zeros([BATCH, LENGTH, LENGTH]), tf.zeros([BATCH, TARGETS, LENGTH])
    model(*given, *everywhere)
    return {"last_hidden_state": tf.transpose(model(*given).get_sequence_output(), [1, 0, 2])}


CASES = {"zihangdai_base": (base, XLNetModel, inputs), "zihangdai_lm": (lm, XLNetLMHeadModel, permuted)}


def mean(name):
    return (1, 0.3) if name.endswith("gamma") else (0, 0.3)


def convert(model, values):
    """Fills the model by transformers' loader."""
    for parameter in model.parameters():
        parameter.data.fill_(float("nan"))
    with tempfile.TemporaryDirectory() as folder:
        tf1.write_checkpoint(values, Path(folder) / "model.ckpt")
        load_tf_weights_in_xlnet(model, model.config, Path(folder) / "model.ckpt")
    model.tie_weights()
    assert not any(parameter.isnan().any() for parameter in model.parameters())
    return model


def write(case):
    forward, model_class, make = CASES[case]
    folder = FIXTURES / "xlnet" / case
    given = make()
    values, outputs = tf1.run(case, forward, given, mean)
    write_npz(folder / "model.npz", dict(sorted(values.items())))
    framework = f"zihangdai/xlnet bbaa3a6, tensorflow {tf.__version__}"
    write_original(folder, given, outputs, framework=framework, code=forward.__name__)
    config = XLNetConfig(
        **SIZES, vocab_size=WORDS, ff_activation="gelu_new", bos_token_id=1, eos_token_id=2, pad_token_id=5
    )
    write_huggingface(folder, convert(model_class(config), values))


if __name__ == "__main__":
    for name in sys.argv[2:] or CASES:
        write(name)
