"""Writes the fixtures of Phi and Phi-3: python Tools/oracle/phi.py [CASE ...]"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from transformers import (
    Phi3ForCausalLM,
    Phi3ForSequenceClassification,
    Phi3ForTokenClassification,
    Phi3Model,
    PhiForCausalLM,
    PhiForSequenceClassification,
    PhiForTokenClassification,
    PhiModel,
)

import fixture
from fixture import rewrite_config, rewrite_weights
from gpt2 import (
    PAD,
    fully_masked,
    left_padded,
    left_padded_prompt,
    left_padded_with_positions,
    one_row,
    padding_tokens,
    prompt,
    with_mask,
)
from llama import far_positions, right_padded

# Two heads of 8.
SIZES = {
    "vocab_size": 37,
    "hidden_size": 16,
    "num_attention_heads": 2,
    "intermediate_size": 20,
    "num_hidden_layers": 1,
    "max_position_embeddings": 32,
    "bos_token_id": 36,
    "eos_token_id": 36,
    "pad_token_id": None,
}


# --- Inputs ----------------------------------------------------------------------------------


def padded_prompts(random, config):
    """Padding counts as length where the keys are computed anew, but has no position."""
    return with_mask(random, config, np.arange(6) >= np.array([[1], [2]]))


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


def of_2024(folder, kind="longrope"):
    """Factors without a length of their own, which stands beside them."""
    of_transformers_4(folder)

    def change(config):
        config["rope_scaling"]["type"] = kind
        del config["rope_scaling"]["original_max_position_embeddings"]
        del config["partial_rotary_factor"]
        return config | {"attention_bias": False}

    rewrite_config(folder, change)


def of_april_2024(folder):
    """As the first files called it, which transformers 5.23 wants another key for."""
    of_2024(folder, "su")


def called_yarn(folder):
    of_2024(folder, "yarn")


def length_in_settings(folder):
    """The length of the training in the settings alone, where it is not read."""

    def change(config):
        del config["original_max_position_embeddings"]
        return config

    rewrite_config(folder, change)


def least_config(folder):
    """What defaults say is left out, and what may be null is."""

    def change(config):
        kept = {"architectures", "model_type", *SIZES, "qk_layernorm"}
        return {key: value for key, value in config.items() if key in kept} | {
            "num_key_value_heads": None,
            "rope_scaling": None,
        }

    rewrite_config(folder, change)


def linear_type(folder):
    """A way to scale that the class refuses."""

    def change(config):
        config["rope_parameters"] |= {"rope_type": "linear", "factor": 2.0}
        return config

    rewrite_config(folder, change)


def too_few_factors(folder):
    def change(config):
        config["rope_parameters"]["long_factor"].pop()
        return config

    rewrite_config(folder, change)


def without_prefix(folder):
    rewrite_weights(folder, lambda weights: {k.removeprefix("model."): v for k, v in weights.items()})


def without_architectures(folder):
    def change(config):
        del config["architectures"]
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


def longrope(trained, fraction=1.0, **more):
    pairs = int(8 * fraction) // 2
    factors = {
        "short_factor": [1.0, 1.1, 1.2, 1.3][:pairs],
        "long_factor": [1.0, 2.0, 3.5, 5.0][:pairs],
    }
    return rope(fraction, "longrope", **(factors | more)) | {
        "original_max_position_embeddings": trained
    }


TWO_LAYERS = {"num_hidden_layers": 2}
TIED = {"tie_word_embeddings": True}
SHARED = {"num_key_value_heads": 1}
# Two of four heads share keys, and all together are wider than the stream.
WIDE = {"num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 6}
NORMS = {"qk_layernorm": True}
THREE_LABELS = {"num_labels": 3, "pad_token_id": PAD}
ALL_HEADS = rope(1.0, theta=10000.0)
SOME = ("logits", "hidden_states.1")

CASES = {
    # Head classes
    "base": Case(PhiModel, TWO_LAYERS, keep=(), dtype=torch.float32),
    "lm": Case(PhiForCausalLM, TWO_LAYERS, keep=()),
    "lm_tied": Case(PhiForCausalLM, TIED | rope(0.5)),
    "sequence_classification": Case(
        PhiForSequenceClassification, THREE_LABELS, inputs=padding_tokens
    ),
    "sequence_classification_no_pad": Case(PhiForSequenceClassification, NORMS, inputs=one_row),
    "token_classification": Case(PhiForTokenClassification, {"num_labels": 5}),
    # Heads, norms, activations
    "norms": Case(PhiForCausalLM, TWO_LAYERS | NORMS | SHARED, keep=SOME, dtype=torch.float32),
    "wide_heads": Case(PhiForCausalLM, WIDE | {"hidden_act": "gelu"} | rope(0.7)),
    "fast_gelu": Case(PhiForCausalLM, {"hidden_act": "gelu_fast"} | rope(0.25)),
    # Rotary positions
    "whole_heads": Case(PhiForCausalLM, rope(1.0, theta=77.5), inputs=far_positions),
    "linear_of_4": Case(
        PhiForCausalLM,
        rope(0.5, "linear", factor=2.5),
        inputs=far_positions,
        edit=of_transformers_4,
    ),
    "dynamic": Case(
        PhiForCausalLM, {"max_position_embeddings": 6} | rope(0.75, "dynamic", factor=2.0)
    ),
    "least_config": Case(PhiForCausalLM, NORMS | TWO_LAYERS, edit=least_config),
    # Inputs
    "left_padding": Case(PhiForCausalLM, inputs=left_padded),
    "left_padding_position_ids": Case(
        PhiForCausalLM, rope(1.0), inputs=left_padded_with_positions
    ),
    "fully_masked_row": Case(PhiForCausalLM, inputs=fully_masked),
    "generate": Case(PhiForCausalLM, NORMS, inputs=prompt, generate=10),
    "generate_left_padded": Case(
        PhiForCausalLM, rope(1.0), inputs=left_padded_prompt, generate=10
    ),
    # Stored dtypes, files and names
    "f16": Case(PhiForCausalLM, dtype=torch.float16),
    "sharded": Case(PhiForCausalLM, TWO_LAYERS, shard="8KB"),
    "no_prefix": Case(PhiForCausalLM, edit=without_prefix),
    "no_architectures": Case(PhiForCausalLM, edit=without_architectures),
    # Phi-3
    "phi3_base": Case(Phi3Model, keep=(), dtype=torch.float32),
    "phi3": Case(Phi3ForCausalLM, TWO_LAYERS | SHARED, keep=SOME, dtype=torch.float32),
    "phi3_tied": Case(
        Phi3ForCausalLM, TIED | SHARED | rope(0.75) | {"hidden_act": "gelu"}, inputs=far_positions
    ),
    "phi3_odd_part": Case(Phi3ForCausalLM, rope(0.4, theta=77.5), edit=of_transformers_4),
    "phi3_wide_heads": Case(Phi3ForCausalLM, WIDE),
    "phi3_sequence_classification": Case(
        Phi3ForSequenceClassification, SHARED | THREE_LABELS, inputs=padding_tokens
    ),
    "phi3_token_classification": Case(Phi3ForTokenClassification, {"num_labels": 5}),
    "phi3_windows": Case(Phi3ForCausalLM, TWO_LAYERS | {"sliding_window": 3}, keep=SOME),
    "phi3_long": Case(Phi3ForCausalLM, longrope(8), edit=of_2024),
    # The longest row decides for all: the first one alone would be short.
    "phi3_longest_row": Case(Phi3ForCausalLM, longrope(14, 0.75), inputs=far_positions),
    "phi3_short": Case(Phi3ForCausalLM, longrope(16), edit=of_april_2024, reloads=False),
    "phi3_called_yarn": Case(
        Phi3ForCausalLM, longrope(16, factor=1.5), edit=called_yarn, reloads=False
    ),
    "phi3_attention_factor": Case(
        Phi3ForCausalLM, SHARED | longrope(8, 0.5, attention_factor=1.25)
    ),
    "phi3_length_in_settings": Case(
        Phi3ForCausalLM, longrope(4096), edit=length_in_settings, inputs=far_positions
    ),
    "phi3_generate": Case(
        Phi3ForCausalLM,
        SHARED | {"sliding_window": 4} | rope(0.5),
        inputs=prompt,
        generate=10,
    ),
    # The text becomes longer than those of the training while it is generated.
    "phi3_generate_long": Case(
        Phi3ForCausalLM, longrope(9), inputs=prompt, generate=10
    ),
    "phi3_generate_left_padded": Case(
        Phi3ForCausalLM, longrope(9), inputs=left_padded_prompt, generate=10
    ),
    "phi3_generate_all_padded": Case(
        Phi3ForCausalLM, {"eos_token_id": 35} | longrope(9), inputs=padded_prompts, generate=10
    ),
    "phi3_no_architectures": Case(Phi3ForCausalLM, SHARED, edit=without_architectures),
    # To be refused
    "phi3_linear": Case(Phi3ForCausalLM, edit=linear_type, inputs=None),
    "phi3_too_few_factors": Case(
        Phi3ForCausalLM, longrope(8), edit=too_few_factors, inputs=None
    ),
}


def config(case, seed):
    of = case.model.config_class
    key = "rms_norm_eps" if of.model_type == "phi3" else "layer_norm_eps"
    epsilon = {} if case.edit is least_config else {key: 1e-3 if seed % 2 else 1e-5}
    return of(**(SIZES | epsilon | case.config), attn_implementation="eager")


def centre(name):
    return (1, 0.3) if "norm" in name and name.endswith("weight") else (0, 0.3)


if __name__ == "__main__":
    fixture.main(fixture.Family("phi", config, CASES, centre))
