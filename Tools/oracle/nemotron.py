"""Writes the fixtures of Nemotron: python Tools/oracle/nemotron.py [CASE ...]"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from transformers import (
    NemotronForCausalLM,
    NemotronForQuestionAnswering,
    NemotronForSequenceClassification,
    NemotronForTokenClassification,
    NemotronModel,
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
from stablelm import of_transformers_4, rope, without_architectures

# Two of four heads of 4 share keys.
SIZES = {
    "vocab_size": 37,
    "hidden_size": 16,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
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
BIASES = {"attention_bias": True, "mlp_bias": True}
SOME = ("logits", "hidden_states.1")
YARN = {"factor": 4.0, "original_max_position_embeddings": 8}
LLAMA3 = {"factor": 4.0, "original_max_position_embeddings": 16}
LLAMA3 |= {"low_freq_factor": 1.0, "high_freq_factor": 4.0}

CASES = {
    # Head classes
    "base": Case(NemotronModel, TWO_LAYERS | rope(0.5), keep=()),
    "lm": Case(NemotronForCausalLM, TWO_LAYERS | rope(0.5), keep=()),
    "lm_tied": Case(NemotronForCausalLM, TIED | rope(0.5)),
    "sequence_classification": Case(
        NemotronForSequenceClassification,
        rope(0.5) | {"num_labels": 3, "pad_token_id": PAD},
        inputs=padding_tokens,
    ),
    "sequence_classification_no_pad": Case(
        NemotronForSequenceClassification, BIASES | rope(0.5), inputs=one_row
    ),
    "token_classification": Case(NemotronForTokenClassification, rope(0.5) | {"num_labels": 5}),
    "question_answering": Case(NemotronForQuestionAnswering, rope(0.5), keep=()),
    # Biases, activations, heads
    "biases": Case(NemotronForCausalLM, TWO_LAYERS | BIASES | rope(0.5), keep=SOME),
    "no_shared_keys": Case(
        NemotronForCausalLM,
        {"num_key_value_heads": 4, "hidden_act": "gelu", "mlp_bias": True} | rope(0.5),
    ),
    "own_heads": Case(NemotronForCausalLM, {"head_dim": 6} | rope(0.5), keep=SOME),
    # Rotary positions: all of a head, an odd count of numbers, scaled
    "whole_heads": Case(NemotronForCausalLM, rope(1.0, theta=77.5), inputs=far_positions),
    "odd_part": Case(NemotronForCausalLM, rope(0.75), inputs=far_positions),
    "linear": Case(
        NemotronForCausalLM,
        rope(0.5, "linear", factor=2.5),
        inputs=far_positions,
        edit=of_transformers_4,
    ),
    "dynamic": Case(
        NemotronForCausalLM, {"max_position_embeddings": 6} | rope(1.0, "dynamic", factor=2.0)
    ),
    "yarn": Case(NemotronForCausalLM, rope(1.0, "yarn", **YARN), inputs=far_positions),
    "llama3": Case(NemotronForCausalLM, rope(1.0, "llama3", **LLAMA3), inputs=far_positions),
    # Inputs
    "left_padding": Case(NemotronForCausalLM, rope(0.5), inputs=left_padded),
    "left_padding_position_ids": Case(
        NemotronForCausalLM, rope(0.5), inputs=left_padded_with_positions
    ),
    "fully_masked_row": Case(NemotronForCausalLM, rope(0.5), inputs=fully_masked),
    "generate": Case(NemotronForCausalLM, TWO_LAYERS | rope(0.5), inputs=prompt, generate=10),
    "generate_left_padded": Case(
        NemotronForCausalLM, BIASES | rope(1.0), inputs=left_padded_prompt, generate=10
    ),
    # Stored dtypes, files and names
    "bf16": Case(NemotronForCausalLM, rope(0.5), dtype=torch.bfloat16),
    "sharded": Case(NemotronForCausalLM, TWO_LAYERS | rope(0.5), shard="8KB"),
    "of_2024": Case(NemotronForCausalLM, rope(0.5), edit=of_transformers_4),
    "least_config": Case(NemotronForCausalLM, rope(0.5, theta=10000.0), edit=least_config),
    "no_architectures": Case(NemotronForCausalLM, rope(0.5), edit=without_architectures),
}


def config(case, seed):
    epsilon = {} if case.edit is least_config else {"norm_eps": 1e-3 if seed % 2 else 1e-5}
    sizes = SIZES | epsilon | case.config
    return case.model.config_class(**sizes, attn_implementation="eager")


def centre(name):
    """Gains are stored as what they are above 1."""
    return (0, 0.3)


if __name__ == "__main__":
    fixture.main(fixture.Family("nemotron", config, CASES, centre))
