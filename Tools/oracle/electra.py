"""Writes the fixtures of ELECTRA: python Tools/oracle/electra.py [CASE ...]"""

from transformers import (
    ElectraConfig,
    ElectraForCausalLM,
    ElectraForMaskedLM,
    ElectraForMultipleChoice,
    ElectraForPreTraining,
    ElectraForQuestionAnswering,
    ElectraForSequenceClassification,
    ElectraForTokenClassification,
    ElectraModel,
)

import encoders
from bert import choices, explicit_positions, left_padded
from encoders import ONE_LAYER, Case, of_2019, of_4, without_architectures

SIZES = encoders.SIZES | {"embedding_size": 4}
# Embeddings as wide as the stream have no projection.
WIDE = {"embedding_size": 6}
TIED = (("generator_lm_head.weight", "electra.embeddings.word_embeddings.weight"),)

CASES = {
    "base": Case(ElectraModel, keep=()),
    "base_wide": Case(ElectraModel, ONE_LAYER | WIDE, inputs=explicit_positions, keep=()),
    "discriminator": Case(ElectraForPreTraining, {"hidden_act": "relu"}),
    "generator": Case(ElectraForMaskedLM),
    "generator_untied": Case(
        ElectraForMaskedLM, ONE_LAYER | {"tie_word_embeddings": False, "hidden_act": "silu"}
    ),
    "causal_lm": Case(ElectraForCausalLM, {"is_decoder": True}, inputs=left_padded),
    "sequence_classification": Case(
        ElectraForSequenceClassification, ONE_LAYER | {"num_labels": 3}
    ),
    "multiple_choice": Case(ElectraForMultipleChoice, ONE_LAYER, inputs=choices),
    "multiple_choice_tanh": Case(
        ElectraForMultipleChoice, ONE_LAYER | {"summary_activation": "tanh"}, inputs=choices
    ),
    "token_classification": Case(ElectraForTokenClassification, ONE_LAYER | {"num_labels": 5}),
    "question_answering": Case(ElectraForQuestionAnswering, ONE_LAYER, keep=()),
    "of_4": Case(ElectraForMaskedLM, ONE_LAYER, edit=of_4("electra", TIED)),
    "of_2019": Case(ElectraForPreTraining, ONE_LAYER, edit=of_2019("electra")),
    "no_architectures": Case(ElectraForPreTraining, ONE_LAYER | WIDE, edit=without_architectures),
}

if __name__ == "__main__":
    encoders.main("electra", ElectraConfig, CASES, SIZES)
