"""Writes the fixtures of ALBERT: python Tools/oracle/albert.py [CASE ...]"""

from transformers import (
    AlbertConfig,
    AlbertForMaskedLM,
    AlbertForMultipleChoice,
    AlbertForPreTraining,
    AlbertForQuestionAnswering,
    AlbertForSequenceClassification,
    AlbertForTokenClassification,
    AlbertModel,
)

import encoders
from bert import choices, explicit_positions, fully_masked
from encoders import Case, of_2019, of_4, without_architectures

SIZES = encoders.SIZES | {"embedding_size": 4, "num_hidden_layers": 3}
TIED = (
    ("predictions.decoder.weight", "albert.embeddings.word_embeddings.weight"),
    ("predictions.decoder.bias", "predictions.bias"),
)
UNREAD = {
    "down_scale_factor": 1,
    "gap_size": 0,
    "layers_to_keep": [],
    "net_structure_type": 0,
    "num_memory_blocks": 0,
    "position_embedding_type": "absolute",
}

CASES = {
    "base": Case(AlbertModel, keep=()),
    "base_no_pooler": Case(
        AlbertModel, {"embedding_size": 6}, build={"add_pooling_layer": False}, keep=()
    ),
    # Five layers in two groups of three blocks: the first three are of the first one.
    "groups": Case(
        AlbertModel, {"num_hidden_layers": 5, "num_hidden_groups": 2, "inner_group_num": 3}, keep=()
    ),
    "pretraining": Case(AlbertForPreTraining, {"num_labels": 3}, keep=()),
    "masked_lm": Case(AlbertForMaskedLM, {"hidden_act": "gelu"}),
    "masked_lm_untied": Case(AlbertForMaskedLM, {"tie_word_embeddings": False}),
    "sequence_classification": Case(AlbertForSequenceClassification, {"num_labels": 3}),
    "multiple_choice": Case(AlbertForMultipleChoice, inputs=choices),
    "token_classification": Case(AlbertForTokenClassification, {"num_labels": 5}),
    "question_answering": Case(AlbertForQuestionAnswering, keep=()),
    "position_ids": Case(AlbertModel, inputs=explicit_positions, keep=("pooler_output",)),
    "fully_masked_row": Case(AlbertForTokenClassification, inputs=fully_masked),
    "of_4": Case(AlbertForMaskedLM, edit=of_4("albert", TIED, unread=UNREAD)),
    "of_2019": Case(AlbertForMaskedLM, edit=of_2019("albert")),
    "no_architectures": Case(AlbertForSequenceClassification, edit=without_architectures),
}

if __name__ == "__main__":
    encoders.main("albert", AlbertConfig, CASES, SIZES)
