"""Writes Fixtures/albert/google_*: python Tools/oracle/albert_google.py FOLDER [CASE ...]

FOLDER is a copy of the original code, google-research/albert at b772393d3dae (2023-04-12): modeling.py and
run_pretraining.py are run as they are, in float64 (tf1.py), with TensorFlow 2.15.1 (requirements-tf.txt). They
create the variables, so that every name and shape is theirs. `load_tf_weights_in_albert` of transformers 4.46.3
converts the same weights. `Tools/oracle/converted.py` is the second step.

Google's code calls the tanh form "gelu"; the config.json beside the weights says "gelu_new".
"""

import sys

import numpy as np
import tf1
from tf1 import tf
from transformers import AlbertConfig, AlbertForPreTraining, AlbertForQuestionAnswering, AlbertModel
from transformers.models.albert.modeling_albert import load_tf_weights_in_albert

import google_texts
from converted import original_folder
from google_texts import BATCH, LENGTH, SIZES

FOLDER = original_folder("GOOGLE_ALBERT", "google-research/albert")
modeling, run_pretraining = tf1.original(FOLDER, "modeling", "run_pretraining", package="albert")
MORE = {"embedding_size": 8}


def albert(config, feed):
    return modeling.AlbertModel(config, False, *feed, use_einsum=False)


def base(config, feed):
    model = albert(config, feed)
    return {
        "last_hidden_state": model.get_sequence_output(),
        "pooler_output": model.get_pooled_output(),
    }


def pretraining(config, feed):
    """Both heads, predicting at every position; the logits stand in the graph by name."""
    model = albert(config, feed)
    everywhere = np.tile(np.arange(LENGTH), (BATCH, 1))
    run_pretraining.get_masked_lm_output(
        config,
        model.get_sequence_output(),
        model.get_embedding_table(),
        tf.constant(everywhere, tf.int32),
        tf.constant(everywhere % config.vocab_size),
        tf.ones(BATCH * LENGTH, tf.float64),
    )
    run_pretraining.get_sentence_order_output(
        config, model.get_pooled_output(), tf.constant([0, 1, 1])
    )
    find = tf.get_default_graph().get_tensor_by_name
    return {
        "prediction_logits": tf.reshape(
            find("cls/predictions/BiasAdd:0"), [BATCH, LENGTH, config.vocab_size]
        ),
        "sop_logits": find("cls/seq_relationship/BiasAdd:0"),
    }


CASES = {
    "google_base": (base, AlbertModel, {}),
    "google_groups": (
        base,
        AlbertModel,
        {"num_hidden_layers": 5, "num_hidden_groups": 2, "inner_group_num": 2},
    ),
    "google_pretraining": (pretraining, AlbertForPreTraining, {}),
}


def write(case):
    forward, model_class, options = CASES[case]
    sizes = SIZES | MORE | options
    config = modeling.AlbertConfig(**sizes, hidden_act="gelu")

    def outputs(feed):
        return forward(config, feed)

    outputs.__name__ = forward.__name__
    google_texts.write(
        "albert",
        case,
        outputs,
        model_class(AlbertConfig(**sizes, hidden_act="gelu_new")),
        lambda model, path: load_tf_weights_in_albert(model, model.config, path),
        framework=f"google-research/albert b772393d3dae, tensorflow {tf.__version__}",
    )


if __name__ == "__main__":
    for name in sys.argv[2:] or CASES:
        write(name)
