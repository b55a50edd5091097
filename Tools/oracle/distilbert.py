"""Writes the fixtures of DistilBERT: python Tools/oracle/distilbert.py [CASE ...]"""

from transformers import (
    DistilBertConfig,
    DistilBertForMaskedLM,
    DistilBertForMultipleChoice,
    DistilBertForQuestionAnswering,
    DistilBertForSequenceClassification,
    DistilBertForTokenClassification,
    DistilBertModel,
)

import encoders
from encoders import (
    Case,
    choices,
    explicit_positions,
    of_2019,
    of_4,
    right_padded,
    without_architectures,
    without_types,
)

SIZES = {
    "vocab_size": 17,
    "dim": 6,
    "n_heads": 2,
    "hidden_dim": 5,
    "n_layers": 2,
    "max_position_embeddings": 15,
}
ONE_LAYER = {"n_layers": 1}
TIED = (("vocab_projector.weight", "distilbert.embeddings.word_embeddings.weight"),)


right_padded, choices, explicit_positions = map(
    without_types, (right_padded, choices, explicit_positions)
)


def case(model, config={}, inputs=right_padded, **more):
    return Case(model, config, inputs=inputs, **more)


CASES = {
    "base": case(DistilBertModel, keep=()),
    "position_ids": case(
        DistilBertModel, ONE_LAYER, inputs=explicit_positions, keep=("last_hidden_state",)
    ),
    "masked_lm": case(DistilBertForMaskedLM, {"activation": "relu"}),
    "masked_lm_untied": case(DistilBertForMaskedLM, ONE_LAYER | {"tie_word_embeddings": False}),
    "sequence_classification": case(
        DistilBertForSequenceClassification, ONE_LAYER | {"num_labels": 3}
    ),
    "multiple_choice": case(DistilBertForMultipleChoice, ONE_LAYER, inputs=choices),
    "token_classification": case(DistilBertForTokenClassification, ONE_LAYER | {"num_labels": 5}),
    "question_answering": case(DistilBertForQuestionAnswering, ONE_LAYER, keep=()),
    "of_4": case(DistilBertForMaskedLM, ONE_LAYER, edit=of_4("distilbert", TIED, unread={"tie_weights_": True})),
    "of_2019": case(DistilBertForQuestionAnswering, ONE_LAYER, edit=of_2019("distilbert"), keep=()),
    "no_architectures": case(
        DistilBertForSequenceClassification, ONE_LAYER, edit=without_architectures
    ),
}

if __name__ == "__main__":
    encoders.main("distilbert", DistilBertConfig, CASES, SIZES, epsilon=None)
