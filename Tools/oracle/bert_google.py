"""Writes Fixtures/bert/google_*: python Tools/oracle/bert_google.py FOLDER [CASE ...]

FOLDER is a copy of the original code, google-research/bert at eedf5716ce12 (2020-03-11):
modeling.py, run_pretraining.py, run_classifier.py, run_squad.py and optimization.py are run as they
are, in float64 (tf1.py), with TensorFlow 2.15.1 (requirements-tf.txt). They create the variables,
so that every name and shape is theirs, compute the outputs and, for the training state, train.
`load_tf_weights_in_bert` of transformers 4.46.3 converts the same weights.

Google's code calls the tanh form "gelu"; the config.json beside the weights says "gelu_new".
"""

import sys
import tempfile
from pathlib import Path

import numpy as np
import tf1
from tf1 import tf
from transformers import (
    BertConfig,
    BertForPreTraining,
    BertForQuestionAnswering,
    BertForSequenceClassification,
    BertModel,
)
from transformers.models.bert.modeling_bert import load_tf_weights_in_bert

from converted import original_folder, write_huggingface, write_original
from exact import FIXTURES, write_npz

FOLDER = original_folder("GOOGLE_BERT", "google-research/bert")
NAMES = ("modeling", "optimization", "run_pretraining", "run_classifier", "run_squad")
modeling, optimization, run_pretraining, run_classifier, run_squad = tf1.original(FOLDER, *NAMES)

SIZES = {
    "vocab_size": 37,
    "hidden_size": 16,
    "num_attention_heads": 2,
    "intermediate_size": 24,
    "num_hidden_layers": 2,
    "max_position_embeddings": 20,
    "type_vocab_size": 3,
}
BATCH, LENGTH = 3, 9


def inputs():
    """Rows of 9, 5 and 1 tokens."""
    random = np.random.default_rng(0)
    return {
        "input_ids": random.integers(0, SIZES["vocab_size"], (BATCH, LENGTH)),
        "attention_mask": (np.arange(LENGTH) < np.array([[9], [5], [1]])).astype(np.int64),
        "token_type_ids": random.permutation(BATCH * LENGTH).reshape(BATCH, LENGTH) % 3,
    }


# --- The original models: (config, inputs) -> named outputs -----------------------------------


def bert(config, feed):
    return modeling.BertModel(config, False, *feed, use_one_hot_embeddings=False)


def base(config, feed):
    model = bert(config, feed)
    states = [model.get_embedding_output(), *model.get_all_encoder_layers()]
    return {
        "last_hidden_state": model.get_sequence_output(),
        "pooler_output": model.get_pooled_output(),
    } | {f"hidden_states.{index}": state for index, state in enumerate(states)}


def pretraining(config, feed):
    """Both heads, predicting at every position; the logits stand in the graph by name."""
    model = bert(config, feed)
    everywhere = np.tile(np.arange(LENGTH), (BATCH, 1))
    labels = tf.constant(everywhere % config.vocab_size)
    masked, _, _ = run_pretraining.get_masked_lm_output(
        config,
        model.get_sequence_output(),
        model.get_embedding_table(),
        tf.constant(everywhere, tf.int32),
        labels,
        tf.ones(BATCH * LENGTH, tf.float64),
    )
    following, _, _ = run_pretraining.get_next_sentence_output(
        config, model.get_pooled_output(), tf.constant([0, 1, 1])
    )
    tf.add_to_collection("loss", masked + following)
    find = tf.get_default_graph().get_tensor_by_name
    logits = find("cls/predictions/BiasAdd:0")
    return {
        "prediction_logits": tf.reshape(logits, [BATCH, LENGTH, config.vocab_size]),
        "seq_relationship_logits": find("cls/seq_relationship/BiasAdd:0"),
    }


def training_state(config, feed):
    """After two steps of the original optimiser."""
    outputs = pretraining(config, feed)
    loss = tf.get_collection("loss")[0]
    tf.add_to_collection("train", optimization.create_optimizer(loss, 0.02, 10, 0, False))
    return outputs


def sequence_classification(config, feed):
    labels = tf.constant([0, 1, 2])
    _, _, logits, _ = run_classifier.create_model(config, False, *feed, labels, 3, False)
    return {"logits": logits}


def squad(config, feed):
    start, end = run_squad.create_model(config, False, *feed, False)
    return {"start_logits": start, "end_logits": end}


CASES = {
    "google_base": (base, BertModel, {}),
    "google_pretraining": (pretraining, BertForPreTraining, {}),
    "google_training_state": (training_state, BertForPreTraining, {}),
    "google_sequence_classification": (
        sequence_classification,
        BertForSequenceClassification,
        {"num_labels": 3},
    ),
    "google_squad": (squad, BertForQuestionAnswering, {}),
}


def mean(name):
    return (1, 0.3) if name.endswith("gamma") else (0, 0.3)


def run_original(case, forward, given):
    """The variables of the original code, as float32, and its outputs."""
    config = modeling.BertConfig(**SIZES, hidden_act="gelu")
    with tf1.graph().as_default(), tf1.float64_scope():
        outputs = forward(config, [tf.constant(array, tf.int32) for array in given.values()])
        values = tf1.random_values(tf.trainable_variables(), case, mean)
        with tf1.session(values, outputs) as session:
            for _ in range(2):
                session.run(tf.get_collection("train"))
            values = {v.op.name: session.run(v) for v in tf.global_variables()}
            values = {
                name: value.astype(np.float32) if value.dtype == np.float64 else value
                for name, value in values.items()
            }
            tf1.load(values, session)
            return values, session.run(outputs)


def convert(model, values):
    """Fills the model by transformers' loader. The loader looks for the heads at attributes that
    today's classes do not have; it gets them for the time of loading. Google's question answering
    keeps the pooler, which it does not use; that of transformers has none."""
    for parameter in model.parameters():
        parameter.data.fill_(float("nan"))
    if isinstance(model, BertForQuestionAnswering):
        model.classifier = model.qa_outputs
        values = {name: value for name, value in values.items() if "pooler" not in name}
    if isinstance(model, BertForSequenceClassification):
        model.weight, model.bias = model.classifier.weight, model.classifier.bias
    with tempfile.TemporaryDirectory() as folder:
        tf1.write_checkpoint(values, Path(folder) / "model.ckpt")
        load_tf_weights_in_bert(model, model.config, Path(folder) / "model.ckpt")
    if isinstance(model, BertForQuestionAnswering):
        del model.classifier
    if isinstance(model, BertForSequenceClassification):
        del model.weight, model.bias
    assert not any(parameter.isnan().any() for parameter in model.parameters())
    return model


def write(case):
    forward, model_class, options = CASES[case]
    folder = FIXTURES / "bert" / case
    given = inputs()
    values, outputs = run_original(case, forward, given)
    write_npz(folder / "model.npz", dict(sorted(values.items())))
    framework = f"google-research/bert eedf5716ce12, tensorflow {tf.__version__}"
    write_original(folder, given, outputs, framework=framework, code=forward.__name__)
    config = BertConfig(**SIZES, hidden_act="gelu_new", **options)
    write_huggingface(folder, convert(model_class(config), values))


if __name__ == "__main__":
    for name in sys.argv[2:] or CASES:
        write(name)
