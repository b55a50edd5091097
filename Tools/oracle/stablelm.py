"""Writes the fixtures of StableLM: python Tools/oracle/stablelm.py [CASE ...]"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from transformers import (
    StableLmForCausalLM,
    StableLmForSequenceClassification,
    StableLmForTokenClassification,
    StableLmModel,
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


def of_transformers_4(folder):
    """Rotary settings as transformers 4 spelled them, and no dtype of today."""

    def change(config):
        rotary = config.pop("rope_parameters")
        for key in ("rope_theta", "partial_rotary_factor"):
            config[key] = rotary.pop(key)
        kind = rotary.pop("rope_type")
        config["rope_scaling"] = None if kind == "default" else {"type": kind} | rotary
        config["torch_dtype"] = config.pop("dtype")
        del config["tie_word_embeddings"]
        return config

    rewrite_config(folder, change)


def least_config(folder):
    """What defaults say is left out."""

    def change(config):
        kept = {"architectures", "model_type", *SIZES}
        return {key: value for key, value in config.items() if key in kept}

    rewrite_config(folder, change)


def without_architectures(folder):
    def change(config):
        del config["architectures"]
        return config

    rewrite_config(folder, change)


def odd_part(folder):
    """A part of the heads that the class cannot turn."""

    def change(config):
        config["rope_parameters"]["partial_rotary_factor"] = 0.75
        return config

    rewrite_config(folder, change)


# --- Cases -----------------------------------------------------------------------------------


@dataclass
class Case(fixture.Case):
    inputs: Callable | None = right_padded
    keep: tuple = ("logits",)
    dtype: torch.dtype = torch.bfloat16


def rope(fraction, kind="default", theta=100.0, **more):
    settings = {"rope_type": kind, "rope_theta": theta, "partial_rotary_factor": fraction}
    return {"rope_parameters": settings | more}


TWO_LAYERS = {"num_hidden_layers": 2}
TIED = {"tie_word_embeddings": True}
PARALLEL = {"use_parallel_residual": True}
NORMS = {"qk_layernorm": True}
BIASES = {"use_qkv_bias": True}
# As the model of 12 billion has it.
TWELVE = PARALLEL | NORMS
SOME = ("logits", "hidden_states.1")

CASES = {
    # Head classes
    "base": Case(StableLmModel, TWO_LAYERS | rope(0.5), keep=(), dtype=torch.float32),
    "lm": Case(StableLmForCausalLM, TWO_LAYERS | BIASES | rope(0.5), keep=()),
    "lm_tied": Case(StableLmForCausalLM, TIED | rope(0.5)),
    "sequence_classification": Case(
        StableLmForSequenceClassification,
        rope(0.5) | {"num_labels": 3, "pad_token_id": PAD},
        inputs=padding_tokens,
    ),
    "sequence_classification_no_pad": Case(
        StableLmForSequenceClassification, TWELVE | rope(0.5), inputs=one_row
    ),
    "token_classification": Case(
        StableLmForTokenClassification, PARALLEL | rope(0.5) | {"num_labels": 5}
    ),
    # Residuals, norms, biases, activations
    "parallel": Case(StableLmForCausalLM, TWO_LAYERS | PARALLEL | rope(0.5), keep=SOME),
    "norms": Case(
        StableLmForCausalLM, TWO_LAYERS | NORMS | rope(1.0), keep=SOME, dtype=torch.float32
    ),
    "twelve": Case(StableLmForCausalLM, TWO_LAYERS | TWELVE | BIASES | rope(0.5), keep=SOME),
    "no_shared_keys": Case(
        StableLmForCausalLM, NORMS | {"num_key_value_heads": 4, "hidden_act": "gelu"} | rope(0.5)
    ),
    # Heads of 8, of which a quarter is turned
    "least_config": Case(
        StableLmForCausalLM,
        {"num_attention_heads": 2, "num_key_value_heads": 1},
        edit=least_config,
    ),
    # Rotary positions
    "whole_heads": Case(StableLmForCausalLM, rope(1.0, theta=77.5), inputs=far_positions),
    "linear_of_4": Case(
        StableLmForCausalLM,
        BIASES | rope(0.5, "linear", factor=2.5),
        inputs=far_positions,
        edit=of_transformers_4,
    ),
    "dynamic": Case(
        StableLmForCausalLM,
        {"max_position_embeddings": 6, "num_attention_heads": 2, "num_key_value_heads": 1}
        | rope(0.75, "dynamic", factor=2.0),
    ),
    # Inputs
    "left_padding": Case(StableLmForCausalLM, rope(0.5), inputs=left_padded),
    "left_padding_position_ids": Case(
        StableLmForCausalLM, NORMS | rope(0.5), inputs=left_padded_with_positions
    ),
    "fully_masked_row": Case(StableLmForCausalLM, rope(0.5), inputs=fully_masked),
    "generate": Case(StableLmForCausalLM, TWELVE | rope(0.5), inputs=prompt, generate=10),
    "generate_left_padded": Case(
        StableLmForCausalLM, BIASES | rope(1.0), inputs=left_padded_prompt, generate=10
    ),
    # Stored dtypes, files and names
    "f16": Case(StableLmForCausalLM, NORMS | rope(0.5), dtype=torch.float16),
    "sharded": Case(StableLmForCausalLM, TWO_LAYERS | NORMS | rope(0.5), shard="8KB"),
    "no_architectures": Case(
        StableLmForCausalLM, rope(0.5), edit=without_architectures
    ),
    # To be refused
    "odd_part": Case(StableLmForCausalLM, rope(0.5), edit=odd_part, inputs=None),
}


def config(case, seed):
    epsilon = {} if case.edit is least_config else {"layer_norm_eps": 1e-3 if seed % 2 else 1e-5}
    sizes = SIZES | epsilon | case.config
    return case.model.config_class(**sizes, attn_implementation="eager")


def centre(name):
    return (1, 0.3) if "norm" in name and name.endswith("weight") else (0, 0.3)


if __name__ == "__main__":
    fixture.main(fixture.Family("stablelm", config, CASES, centre))
