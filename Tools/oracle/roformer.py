"""Writes the fixtures of RoFormer: python Tools/oracle/roformer.py [CASE ...]"""

import numpy as np
import torch
from transformers import (
    RoFormerConfig,
    RoFormerForCausalLM,
    RoFormerForMaskedLM,
    RoFormerForMultipleChoice,
    RoFormerForQuestionAnswering,
    RoFormerForSequenceClassification,
    RoFormerForTokenClassification,
    RoFormerModel,
)
from transformers.models.roformer.modeling_roformer import RoFormerSinusoidalPositionalEmbedding

import encoders
from bert import choices, left_padded
from encoders import ONE_LAYER, Case, without_architectures
from fixture import rewrite_weights

SIZES = encoders.SIZES | {"hidden_size": 8, "embedding_size": 6, "type_vocab_size": 2}
WIDE = {"embedding_size": None}


def create_weight(self):
    """transformers' own table, which it also rounds to float32, without float32 tensors on the way: those
    would look as if something was computed below float64."""
    rows, width = self.weight.shape
    angles = np.array(
        [[row / np.power(10000, 2 * (j // 2) / width) for j in range(width)] for row in range(rows)]
    )
    table = np.concatenate([np.sin(angles[:, 0::2]), np.cos(angles[:, 1::2])], axis=1)
    return torch.from_numpy(table.astype(np.float32).astype(np.float64)).to(self.weight.dtype)


RoFormerSinusoidalPositionalEmbedding.create_weight = create_weight


def with_sines(model):
    """The table is a parameter, and no random one."""
    with torch.no_grad():
        for name, module in model.named_modules():
            if name.endswith("embed_positions"):
                module.weight.copy_(module.create_weight())


def swap_halves(folder):
    def change(weights):
        name = "roformer.encoder.embed_positions.weight"
        weights[name] = weights[name].flip(1).contiguous()
        return weights

    rewrite_weights(folder, change)


def case(model, config={}, **more):
    return Case(model, config, adjust=with_sines, **more)


CASES = {
    "base": case(RoFormerModel, keep=()),
    "base_wide": case(RoFormerModel, ONE_LAYER | WIDE, keep=("last_hidden_state",)),
    "masked_lm": case(RoFormerForMaskedLM, {"hidden_act": "relu"}),
    "masked_lm_untied": case(RoFormerForMaskedLM, ONE_LAYER | {"tie_word_embeddings": False}),
    "causal_lm": case(RoFormerForCausalLM, {"is_decoder": True}, inputs=left_padded),
    "sequence_classification": case(
        RoFormerForSequenceClassification, ONE_LAYER | {"num_labels": 3, "hidden_act": "silu"}
    ),
    "multiple_choice": case(RoFormerForMultipleChoice, ONE_LAYER, inputs=choices),
    "token_classification": case(RoFormerForTokenClassification, ONE_LAYER | {"num_labels": 5}),
    "question_answering": case(RoFormerForQuestionAnswering, ONE_LAYER, keep=()),
    "of_2021": case(RoFormerForMaskedLM, ONE_LAYER, edit=encoders.of_2019("roformer")),
    "no_architectures": case(
        RoFormerForSequenceClassification, ONE_LAYER | WIDE, edit=without_architectures
    ),
    # To be refused
    "wrong_sines": case(RoFormerForMaskedLM, ONE_LAYER, edit=swap_halves, inputs=None),
}

if __name__ == "__main__":
    encoders.main("roformer", RoFormerConfig, CASES, SIZES)
