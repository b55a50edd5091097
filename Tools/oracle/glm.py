"""Writes the fixtures of GLM and its member: python Tools/oracle/glm.py [CASE ...]"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from transformers import (
    Glm4ForCausalLM,
    Glm4ForSequenceClassification,
    Glm4ForTokenClassification,
    Glm4Model,
    GlmForCausalLM,
    GlmForSequenceClassification,
    GlmForTokenClassification,
    GlmModel,
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
from llama import far_positions, right_padded, rope, without_architectures

# Two query heads share a key head, and all heads together are wider than the stream.
SIZES = {
    "vocab_size": 37,
    "hidden_size": 12,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "intermediate_size": 20,
    "num_hidden_layers": 2,
    "max_position_embeddings": 32,
    "bos_token_id": 36,
    "eos_token_id": 36,
    "pad_token_id": None,
}


# --- Edits: turn what save_pretrained wrote into what others write ---------------------------


def of_2024(folder):
    """Rotary settings as transformers 4 spelled them."""

    def change(config):
        rotary = config.pop("rope_parameters")
        config["rope_theta"] = rotary.pop("rope_theta")
        config["partial_rotary_factor"] = rotary.pop("partial_rotary_factor")
        kind = rotary.pop("rope_type")
        config["rope_scaling"] = None if kind == "default" else {"type": kind} | rotary
        config["torch_dtype"] = config.pop("dtype")
        del config["tie_word_embeddings"]
        return config

    rewrite_config(folder, change)


def without_defaults(folder):
    """A config that leaves what is usual to the class."""

    def change(config):
        for key in ("rope_parameters", "attention_bias", "rms_norm_eps"):
            del config[key]
        return config

    rewrite_config(folder, change)


# --- Cases -----------------------------------------------------------------------------------


@dataclass
class Case(fixture.Case):
    inputs: Callable | None = right_padded
    keep: tuple = ("logits",)
    dtype: torch.dtype = torch.bfloat16


def part(fraction, kind="default", theta=100.0, **more):
    return rope(kind, theta, partial_rotary_factor=fraction, **more)


ONE_LAYER = {"num_hidden_layers": 1}
SOME = ("logits", "hidden_states.1")
# An end token that does not come up in what is generated.
ENDLESS = {"eos_token_id": 33}

CASES = {
    # GLM
    "base": Case(GlmModel, ONE_LAYER | part(0.5), keep=()),
    "lm": Case(GlmForCausalLM, part(0.5), keep=SOME, dtype=torch.float32),
    "lm_tied": Case(GlmForCausalLM, ONE_LAYER | {"tie_word_embeddings": True}),
    "no_biases": Case(GlmForCausalLM, {"attention_bias": False, "hidden_act": "gelu"} | part(0.5)),
    "whole_heads": Case(GlmForCausalLM, ONE_LAYER | part(1.0), inputs=far_positions),
    "three_pairs": Case(GlmForCausalLM, ONE_LAYER | part(0.75), inputs=far_positions),
    "odd_part": Case(GlmForCausalLM, ONE_LAYER | part(0.4), inputs=far_positions),
    "linear": Case(
        GlmForCausalLM,
        ONE_LAYER | part(0.5, "linear", factor=2.5),
        inputs=far_positions,
        edit=of_2024,
    ),
    "defaults": Case(
        GlmForCausalLM, ONE_LAYER | {"rms_norm_eps": 1.5625e-07}, edit=without_defaults
    ),
    "sequence_classification": Case(
        GlmForSequenceClassification,
        ONE_LAYER | {"num_labels": 3, "pad_token_id": PAD},
        inputs=padding_tokens,
    ),
    "token_classification": Case(GlmForTokenClassification, ONE_LAYER | {"num_labels": 5}),
    "of_2024": Case(GlmForCausalLM, ONE_LAYER, dtype=torch.float16, edit=of_2024),
    "sharded": Case(GlmForCausalLM, shard="4KB"),
    "no_architectures": Case(GlmForCausalLM, ONE_LAYER, edit=without_architectures),
    "generate": Case(GlmForCausalLM, ONE_LAYER | ENDLESS | part(0.5), inputs=prompt, generate=8),
    # GLM-4-0414
    "glm4": Case(Glm4ForCausalLM, part(0.5), keep=SOME),
    "glm4_base": Case(Glm4Model, ONE_LAYER, inputs=left_padded_with_positions, keep=()),
    "glm4_tied": Case(
        Glm4ForCausalLM,
        ONE_LAYER | part(1.0) | {"tie_word_embeddings": True, "attention_bias": False},
    ),
    "glm4_yarn": Case(
        Glm4ForCausalLM,
        ONE_LAYER | part(0.5, "yarn", factor=4.0, original_max_position_embeddings=8),
        inputs=far_positions,
    ),
    "glm4_left_padding": Case(Glm4ForCausalLM, ONE_LAYER | part(0.5), inputs=left_padded),
    "glm4_fully_masked_row": Case(Glm4ForCausalLM, ONE_LAYER | part(0.5), inputs=fully_masked),
    "glm4_sequence_classification": Case(
        Glm4ForSequenceClassification, ONE_LAYER | {"num_labels": 3}, inputs=one_row
    ),
    "glm4_token_classification": Case(Glm4ForTokenClassification, ONE_LAYER | {"num_labels": 4}),
    "glm4_generate_left_padded": Case(
        Glm4ForCausalLM, ONE_LAYER | ENDLESS | part(0.5), inputs=left_padded_prompt, generate=8
    ),
}


def config(case, seed):
    sizes = SIZES | {"rms_norm_eps": 1e-3 if seed % 2 else 1e-5}
    return case.model.config_class(**(sizes | case.config), attn_implementation="eager")


def centre(name):
    return (1, 0.3) if "norm" in name and name.endswith("weight") else (0, 0.3)


if __name__ == "__main__":
    fixture.main(fixture.Family("glm", config, CASES, centre))
