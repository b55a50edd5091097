"""Writes the fixtures of MPNet: python Tools/oracle/mpnet.py [CASE ...]"""

import numpy as np
from transformers import (
    MPNetConfig,
    MPNetForMaskedLM,
    MPNetForMultipleChoice,
    MPNetForQuestionAnswering,
    MPNetForSequenceClassification,
    MPNetForTokenClassification,
    MPNetModel,
)

import encoders
from encoders import (
    ONE_LAYER,
    SIZES,
    Case,
    choices,
    explicit_positions,
    of_2019,
    of_4,
    right_padded,
    without_architectures,
    without_types,
)

TIED = (
    ("lm_head.decoder.weight", "mpnet.embeddings.word_embeddings.weight"),
    ("lm_head.decoder.bias", "lm_head.bias"),
)
right_padded, choices, explicit_positions = map(
    without_types, (right_padded, choices, explicit_positions)
)


def long(random, config):
    """So far apart that positions share buckets, the last one too."""
    mask = (np.arange(150) < np.array([[150], [90]])).astype(np.int64)
    return {"input_ids": random.integers(2, config.vocab_size, mask.shape), "attention_mask": mask}


def case(model, config={}, inputs=right_padded, **more):
    return Case(model, config, inputs=inputs, **more)


CASES = {
    "base": case(MPNetModel, keep=()),
    "base_no_pooler": case(MPNetModel, ONE_LAYER, build={"add_pooling_layer": False}, keep=()),
    "long": case(
        MPNetModel,
        ONE_LAYER | {"max_position_embeddings": 152},
        inputs=long,
        keep=("pooler_output",),
    ),
    "long_tokens": case(
        MPNetForTokenClassification,
        ONE_LAYER | {"max_position_embeddings": 152, "num_labels": 1},
        inputs=long,
    ),
    "masked_lm": case(MPNetForMaskedLM, {"hidden_act": "relu"}),
    "masked_lm_untied": case(MPNetForMaskedLM, ONE_LAYER | {"tie_word_embeddings": False}),
    "sequence_classification": case(MPNetForSequenceClassification, ONE_LAYER | {"num_labels": 3}),
    "multiple_choice": case(MPNetForMultipleChoice, ONE_LAYER, inputs=choices),
    "token_classification": case(MPNetForTokenClassification, ONE_LAYER | {"num_labels": 5}),
    "question_answering": case(MPNetForQuestionAnswering, ONE_LAYER, keep=()),
    "position_ids": case(MPNetModel, ONE_LAYER, inputs=explicit_positions, keep=("pooler_output",)),
    "of_4": case(MPNetForMaskedLM, ONE_LAYER, edit=of_4("mpnet", TIED, "mpnet.pooler.dense")),
    "of_2019": case(MPNetForMaskedLM, ONE_LAYER, edit=of_2019("mpnet")),
    "no_architectures": case(MPNetForSequenceClassification, ONE_LAYER, edit=without_architectures),
}

if __name__ == "__main__":
    encoders.main("mpnet", MPNetConfig, CASES)
