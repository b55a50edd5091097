"""Writes Fixtures/electra/google_*: python Tools/oracle/electra_google.py FOLDER [CASE ...]

FOLDER is a copy of the original code, google-research/electra at 8a46635f3208 (2021-03-31): model/modeling.py and
run_pretraining.py are run as they are, in float64 (tf1.py), with TensorFlow 2.15.1 (requirements-tf.txt). They
create the variables, so that every name and shape is theirs. `load_tf_weights_in_electra` of transformers 4.46.3
converts the same weights. `Tools/oracle/converted.py` is the second step.
"""

import sys
import types

import tf1
from tf1 import tf
from transformers import ElectraConfig, ElectraForMaskedLM, ElectraForPreTraining
from transformers.models.electra.modeling_electra import load_tf_weights_in_electra

import google_texts
from converted import original_folder
from google_texts import BATCH, LENGTH, SIZES

FOLDER = original_folder("GOOGLE_ELECTRA", "google-research/electra")
modeling, run_pretraining = tf1.original(FOLDER, "model.modeling", "run_pretraining")
WIDTH = 8


def electra(config, feed, scope, width=WIDTH):
    ids, mask, kinds = feed
    return modeling.BertModel(config, False, ids, mask, kinds, False, scope=scope, embedding_size=width)


def discriminator(config, feed):
    model = types.SimpleNamespace(
        _bert_config=config, _config=types.SimpleNamespace(electric_objective=False)
    )
    run_pretraining.PretrainingModel._get_discriminator_output(
        model,
        types.SimpleNamespace(input_mask=feed[1]),
        electra(config, feed, "electra"),
        tf.ones([BATCH, LENGTH], tf.int32),
    )
    return {"logits": tf.get_default_graph().get_tensor_by_name("discriminator_predictions/Squeeze:0")}


def generator(config, feed):
    """A small generator beside a discriminator, with which it shares the embeddings."""
    model = electra(config, feed, "generator")
    with tf.variable_scope("generator_predictions"):
        logits = run_pretraining.get_token_logits(
            model.get_sequence_output(), model.get_embedding_table(), config
        )
    return {"logits": logits}


CASES = {
    "google_discriminator": (discriminator, ElectraForPreTraining),
    "google_generator": (generator, ElectraForMaskedLM),
}


def write(case):
    forward, model_class = CASES[case]
    config = modeling.BertConfig(**SIZES, hidden_act="gelu")

    def outputs(feed):
        return forward(config, feed)

    outputs.__name__ = forward.__name__
    kind = "generator" if case == "google_generator" else "discriminator"
    google_texts.write(
        "electra",
        case,
        outputs,
        model_class(ElectraConfig(**SIZES, embedding_size=WIDTH, hidden_act="gelu")),
        lambda model, path: load_tf_weights_in_electra(model, model.config, path, kind),
        framework=f"google-research/electra 8a46635f3208, tensorflow {tf.__version__}",
    )


if __name__ == "__main__":
    for name in sys.argv[2:] or CASES:
        write(name)
