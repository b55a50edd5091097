"""Writes the fixtures of Granite: python Tools/oracle/granite.py [CASE ...]"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from transformers import GraniteConfig, GraniteForCausalLM, GraniteModel

import fixture
from fixture import rewrite_config
from gpt2 import (
    fully_masked,
    left_padded,
    left_padded_prompt,
    left_padded_with_positions,
    prompt,
)
from llama import far_positions, right_padded, rope, without_architectures

# Three query heads share a key head; heads together are as wide as the stream.
SIZES = {
    "vocab_size": 37,
    "hidden_size": 24,
    "num_attention_heads": 6,
    "num_key_value_heads": 2,
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
        kind = rotary.pop("rope_type")
        config["rope_scaling"] = None if kind == "default" else {"type": kind} | rotary
        config["torch_dtype"] = config.pop("dtype")
        del config["tie_word_embeddings"]
        return config

    rewrite_config(folder, change)


def without_multipliers(folder):
    def change(config):
        for key in MULTIPLIERS:
            del config[key]
        return config

    rewrite_config(folder, change)


# --- Cases -----------------------------------------------------------------------------------


@dataclass
class Case(fixture.Case):
    inputs: Callable | None = right_padded
    keep: tuple = ("logits",)
    dtype: torch.dtype = torch.bfloat16


MULTIPLIERS = {
    "embedding_multiplier": 12.0,
    "attention_multiplier": 0.4,
    "residual_multiplier": 0.22,
    "logits_scaling": 3,
}
# Each at 1, as the class has them.
USUAL = dict.fromkeys(MULTIPLIERS, 1.0)
ONE_LAYER = {"num_hidden_layers": 1}
SOME = ("logits", "hidden_states.1")
TIED = {"tie_word_embeddings": True}
# An end token that does not come up in what is generated.
ENDLESS = {"eos_token_id": 33}


CASES = {
    "base": Case(GraniteModel, ONE_LAYER, keep=()),
    "lm": Case(GraniteForCausalLM, keep=(), dtype=torch.float32),
    "lm_tied": Case(GraniteForCausalLM, ONE_LAYER | TIED),
    "no_multipliers": Case(GraniteForCausalLM, ONE_LAYER | USUAL, edit=without_multipliers),
    "embedding_multiplier": Case(
        GraniteForCausalLM, ONE_LAYER | USUAL | {"embedding_multiplier": 2.5}
    ),
    "attention_multiplier": Case(
        GraniteForCausalLM, ONE_LAYER | USUAL | {"attention_multiplier": 0.0625}
    ),
    "residual_multiplier": Case(
        GraniteForCausalLM, USUAL | {"residual_multiplier": 1.4}, keep=SOME
    ),
    "logits_scaling": Case(GraniteForCausalLM, ONE_LAYER | USUAL | {"logits_scaling": 0.125}),
    "biases": Case(
        GraniteForCausalLM, {"attention_bias": True, "mlp_bias": True, "hidden_act": "gelu"}
    ),
    "own_heads": Case(GraniteForCausalLM, ONE_LAYER | {"num_attention_heads": 4, "head_dim": 8}),
    "no_shared_keys": Case(GraniteForCausalLM, ONE_LAYER | {"num_key_value_heads": None}),
    "linear": Case(
        GraniteForCausalLM,
        ONE_LAYER | rope("linear", factor=2.5),
        inputs=far_positions,
        edit=of_2024,
    ),
    "yarn": Case(
        GraniteForCausalLM,
        ONE_LAYER | rope("yarn", factor=4.0, original_max_position_embeddings=8),
        inputs=far_positions,
    ),
    "left_padding": Case(GraniteForCausalLM, ONE_LAYER, inputs=left_padded),
    "left_padding_position_ids": Case(
        GraniteForCausalLM, ONE_LAYER, inputs=left_padded_with_positions
    ),
    "fully_masked_row": Case(GraniteForCausalLM, ONE_LAYER, inputs=fully_masked),
    "generate": Case(GraniteForCausalLM, ENDLESS, inputs=prompt, generate=8),
    "generate_left_padded": Case(
        GraniteForCausalLM, ONE_LAYER | ENDLESS | TIED, inputs=left_padded_prompt, generate=8
    ),
    "of_2024": Case(GraniteForCausalLM, ONE_LAYER, dtype=torch.float16, edit=of_2024),
    "sharded": Case(GraniteForCausalLM, shard="8KB"),
    "no_architectures": Case(GraniteForCausalLM, ONE_LAYER, edit=without_architectures),
}


def config(case, seed):
    sizes = SIZES | MULTIPLIERS | {"rms_norm_eps": 1e-3 if seed % 2 else 1e-5}
    return GraniteConfig(**(sizes | case.config), attn_implementation="eager")


def centre(name):
    return (1, 0.3) if "norm" in name and name.endswith("weight") else (0, 0.3)


if __name__ == "__main__":
    fixture.main(fixture.Family("granite", config, CASES, centre))
