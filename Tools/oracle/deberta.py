"""Writes the fixtures of DeBERTa v2 and v3: python Tools/oracle/deberta.py [CASE ...]"""

import torch
from transformers import (
    DebertaV2Config,
    DebertaV2ForMaskedLM,
    DebertaV2ForQuestionAnswering,
    DebertaV2ForSequenceClassification,
    DebertaV2ForTokenClassification,
    DebertaV2Model,
)

import encoders
from bert import fully_masked, left_padded, right_padded
from encoders import ONE_LAYER, Case, without_architectures, without_types
from fixture import rewrite_config, rewrite_weights

SIZES = encoders.SIZES | {
    "relative_attention": True,
    "pos_att_type": ["c2p", "p2c"],
    "position_buckets": 4,
    "max_relative_positions": 7,
}
# What the published models of version 3 have, and of version 2.
OF_3 = {
    "share_att_key": True,
    "norm_rel_ebd": "layer_norm",
    "position_biased_input": False,
    "pos_att_type": "p2c|c2p",
    "max_relative_positions": -1,
}
OF_2 = OF_3 | {"conv_kernel_size": 3, "conv_act": "gelu"}
padded = without_types(right_padded)


def of_authors(folder):
    """As the authors' files of version 3: both heads of their training, no class, no `legacy`, and a table of
    positions that nothing reads."""

    def weights_of_authors(weights):
        old = dict(weights)
        old["mask_predictions.dense.weight"] = torch.full((6, 6), 0.25)
        old["mask_predictions.dense.bias"] = torch.full((6,), 0.5)
        old["mask_predictions.LayerNorm.weight"] = torch.full((6,), 1.5)
        old["mask_predictions.LayerNorm.bias"] = torch.full((6,), -0.5)
        old["mask_predictions.classifier.weight"] = torch.full((1, 6), 0.75)
        old["mask_predictions.classifier.bias"] = torch.full((1,), 0.125)
        old["deberta.embeddings.position_embeddings.weight"] = torch.full((15, 6), 0.5)
        old["deberta.embeddings.position_ids"] = torch.arange(15).unsqueeze(0)
        return old

    rewrite_weights(folder, weights_of_authors)
    without_architectures(folder)
    rewrite_config(folder, lambda config: {k: v for k, v in config.items() if k != "legacy"})


CASES = {
    "base": Case(DebertaV2Model, inputs=without_types(fully_masked), keep=()),
    "base_of_3": Case(DebertaV2Model, OF_3, inputs=padded, keep=()),
    "base_of_2": Case(DebertaV2Model, OF_2, inputs=without_types(left_padded), keep=()),
    "masked_lm": Case(
        DebertaV2ForMaskedLM,
        ONE_LAYER | {"pos_att_type": ["c2p"], "position_buckets": -1, "type_vocab_size": 3},
    ),
    "masked_lm_untied": Case(
        DebertaV2ForMaskedLM,
        ONE_LAYER
        | {"tie_word_embeddings": False, "embedding_size": 4, "pos_att_type": ["p2c"]},
        inputs=padded,
    ),
    "masked_lm_of_3": Case(DebertaV2ForMaskedLM, ONE_LAYER | OF_3 | {"legacy": False}, inputs=padded),
    "of_authors": Case(
        DebertaV2ForMaskedLM,
        ONE_LAYER | OF_3 | {"legacy": False},
        inputs=padded,
        edit=of_authors,
        reloads=False,
    ),
    "sequence_classification": Case(
        DebertaV2ForSequenceClassification,
        ONE_LAYER
        | OF_2
        | {"num_labels": 3, "pooler_hidden_act": "tanh", "conv_act": "tanh", "conv_groups": 2},
        inputs=padded,
    ),
    "token_classification": Case(
        DebertaV2ForTokenClassification,
        ONE_LAYER | {"num_labels": 5, "relative_attention": False, "type_vocab_size": 2},
    ),
    "question_answering": Case(
        DebertaV2ForQuestionAnswering, ONE_LAYER | OF_3, inputs=padded, keep=()
    ),
    "no_architectures": Case(
        DebertaV2ForSequenceClassification, ONE_LAYER | OF_3, edit=without_architectures, inputs=padded
    ),
}

if __name__ == "__main__":
    encoders.main("deberta", DebertaV2Config, CASES, SIZES)
