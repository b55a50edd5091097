"""Writes the fixtures of Persimmon: python Tools/oracle/persimmon.py [CASE ...]"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from transformers import (
    PersimmonForCausalLM,
    PersimmonForSequenceClassification,
    PersimmonForTokenClassification,
    PersimmonModel,
)

import fixture
from fixture import rewrite_config
from gpt2 import (
    PAD,
    fully_masked,
    left_padded,
    left_padded_prompt,
    left_padded_with_positions,
    one_row,
    padding_tokens,
    prompt,
)
from llama import far_positions, right_padded
from stablelm import odd_part, of_transformers_4, rope, without_architectures

# Three heads of 4.
SIZES = {
    "vocab_size": 37,
    "hidden_size": 12,
    "num_attention_heads": 3,
    "intermediate_size": 20,
    "num_hidden_layers": 1,
    "max_position_embeddings": 32,
    "bos_token_id": 36,
    "eos_token_id": 36,
}


# --- Edits: turn what save_pretrained wrote into what others write ---------------------------


def least_config(folder):
    """What defaults say is left out."""

    def change(config):
        kept = {"architectures", "model_type", *SIZES}
        return {key: value for key, value in config.items() if key in kept}

    rewrite_config(folder, change)


# --- Cases -----------------------------------------------------------------------------------


@dataclass
class Case(fixture.Case):
    inputs: Callable | None = right_padded
    keep: tuple = ("logits",)


TWO_LAYERS = {"num_hidden_layers": 2}
TIED = {"tie_word_embeddings": True}
NO_NORMS = {"qk_layernorm": False}
SOME = ("logits", "hidden_states.1")

CASES = {
    # Head classes
    "base": Case(PersimmonModel, TWO_LAYERS | rope(0.5), keep=()),
    "lm": Case(PersimmonForCausalLM, TWO_LAYERS | rope(0.5), keep=()),
    "lm_tied": Case(PersimmonForCausalLM, TIED | NO_NORMS | rope(0.5)),
    "sequence_classification": Case(
        PersimmonForSequenceClassification,
        rope(0.5) | {"num_labels": 3, "pad_token_id": PAD},
        inputs=padding_tokens,
    ),
    "sequence_classification_no_pad": Case(
        PersimmonForSequenceClassification, NO_NORMS | rope(0.5), inputs=one_row
    ),
    "token_classification": Case(PersimmonForTokenClassification, rope(0.5) | {"num_labels": 5}),
    # Norms, activations
    "no_norms": Case(
        PersimmonForCausalLM, TWO_LAYERS | NO_NORMS | {"hidden_act": "gelu"} | rope(0.5), keep=SOME
    ),
    # Rotary positions: all of a head, scaled
    "whole_heads": Case(PersimmonForCausalLM, rope(1.0, theta=77.5), inputs=far_positions),
    "linear": Case(
        PersimmonForCausalLM,
        rope(0.5, "linear", factor=2.5),
        inputs=far_positions,
        edit=of_transformers_4,
    ),
    "dynamic": Case(
        PersimmonForCausalLM, {"max_position_embeddings": 6} | rope(1.0, "dynamic", factor=2.0)
    ),
    # Inputs
    "left_padding": Case(PersimmonForCausalLM, rope(0.5), inputs=left_padded),
    "left_padding_position_ids": Case(
        PersimmonForCausalLM, rope(0.5), inputs=left_padded_with_positions
    ),
    "fully_masked_row": Case(PersimmonForCausalLM, rope(0.5), inputs=fully_masked),
    "generate": Case(PersimmonForCausalLM, TWO_LAYERS | rope(0.5), inputs=prompt, generate=10),
    "generate_left_padded": Case(
        PersimmonForCausalLM, NO_NORMS | rope(1.0), inputs=left_padded_prompt, generate=10
    ),
    # Stored dtypes, files and names
    "bf16": Case(PersimmonForCausalLM, rope(0.5), dtype=torch.bfloat16),
    "sharded": Case(PersimmonForCausalLM, TWO_LAYERS | rope(0.5), shard="8KB"),
    "of_2023": Case(PersimmonForCausalLM, rope(0.5), edit=of_transformers_4),
    "least_config": Case(PersimmonForCausalLM, rope(0.5, theta=10000.0), edit=least_config),
    "no_architectures": Case(PersimmonForCausalLM, rope(0.5), edit=without_architectures),
    # To be refused
    "odd_part": Case(PersimmonForCausalLM, rope(0.5), edit=odd_part, inputs=None),
}


def config(case, seed):
    epsilon = {} if case.edit is least_config else {"layer_norm_eps": 1e-3 if seed % 2 else 1e-5}
    sizes = SIZES | epsilon | case.config
    return case.model.config_class(**sizes, attn_implementation="eager")


def centre(name):
    return (1, 0.3) if "norm" in name and name.endswith("weight") else (0, 0.3)


if __name__ == "__main__":
    fixture.main(fixture.Family("persimmon", config, CASES, centre))
