"""Writes the fixtures of NomicBERT: python Tools/oracle/nomicbert.py [CASE ...]"""

import torch
from transformers import (
    NomicBertConfig,
    NomicBertForMaskedLM,
    NomicBertForSequenceClassification,
    NomicBertForTokenClassification,
    NomicBertModel,
)

import encoders
from bert import left_padded
from encoders import ONE_LAYER, Case, without_architectures
from fixture import as_modules_name_it, rewrite_weights

SIZES = encoders.SIZES | {
    "hidden_size": 8,
    "max_position_embeddings": 64,
    "type_vocab_size": 2,
    "rope_parameters": {"rope_type": "default", "rope_theta": 50.0},
}
USUAL = {"rope_parameters": None}


def of_2024(folder):
    """The names of the model's own code, with `bert.` before them, and the tied decoder stored."""

    def change(weights):
        old = {name.replace("nomic_bert.", "bert."): tensor for name, tensor in weights.items()}
        words = "bert.embeddings.word_embeddings.weight"
        return old | {"cls.predictions.decoder.weight": old[words].clone()}

    rewrite_weights(folder, change)


CASES = {
    "base": Case(NomicBertModel, keep=()),
    "base_one": Case(NomicBertModel, ONE_LAYER | USUAL, keep=("last_hidden_state",)),
    "masked_lm": Case(NomicBertForMaskedLM, {"hidden_act": "gelu"}, inputs=left_padded),
    "masked_lm_untied": Case(NomicBertForMaskedLM, ONE_LAYER | {"tie_word_embeddings": False}),
    "sequence_classification": Case(
        NomicBertForSequenceClassification, ONE_LAYER | {"num_labels": 3}
    ),
    "token_classification": Case(NomicBertForTokenClassification, ONE_LAYER | {"num_labels": 5}),
    "linear": Case(
        NomicBertForTokenClassification,
        ONE_LAYER
        | {"rope_parameters": {"rope_type": "linear", "rope_theta": 50.0, "factor": 2.5}},
    ),
    "bf16": Case(NomicBertForMaskedLM, ONE_LAYER, dtype=torch.bfloat16),
    "modules": Case(NomicBertForMaskedLM, {"tie_word_embeddings": False}, edit=as_modules_name_it),
    "of_2024": Case(NomicBertForMaskedLM, ONE_LAYER, edit=of_2024, reloads=False),
    "no_architectures": Case(
        NomicBertForSequenceClassification, ONE_LAYER, edit=without_architectures
    ),
}

if __name__ == "__main__":
    encoders.main("nomicbert", NomicBertConfig, CASES, SIZES)
