"""Writes the fixtures of OLMo and its members: python Tools/oracle/olmo.py [CASE ...]"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from transformers import (
    Olmo2ForCausalLM,
    Olmo2ForSequenceClassification,
    Olmo2Model,
    Olmo3ForCausalLM,
    Olmo3ForSequenceClassification,
    Olmo3Model,
    OlmoConfig,
    OlmoForCausalLM,
    OlmoForSequenceClassification,
    OlmoModel,
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

# Three query heads share a key head; heads together are as wide as the stream.
SIZES = {
    "vocab_size": 37,
    "hidden_size": 24,
    "num_attention_heads": 6,
    "num_key_value_heads": 2,
    "intermediate_size": 20,
    "num_hidden_layers": 2,
    "max_position_embeddings": 32,
    "bos_token_id": None,
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


def olmo3_of_2025(folder):
    """The scaling of the layers that see everything, beside the base of all."""

    def change(config):
        rotary = config.pop("rope_parameters")["full_attention"]
        config["rope_theta"] = rotary.pop("rope_theta")
        config["rope_scaling"] = rotary
        config["torch_dtype"] = config.pop("dtype")
        return config

    rewrite_config(folder, change)


# --- Cases -----------------------------------------------------------------------------------


@dataclass
class Case(fixture.Case):
    inputs: Callable | None = right_padded
    keep: tuple = ("logits",)
    dtype: torch.dtype = torch.bfloat16


def bases(whole, local, **scaling):
    """Rotary settings of the two types of layers; only those that see everything are scaled."""
    full = {"rope_type": "default", "rope_theta": whole} | scaling
    sliding = {"rope_type": "default", "rope_theta": local}
    return {"rope_parameters": {"full_attention": full, "sliding_attention": sliding}}


ONE_LAYER = {"num_hidden_layers": 1}
SOME = ("logits", "hidden_states.1")
# An end token that does not come up in what is generated.
ENDLESS = {"eos_token_id": 5}
WINDOW = {"sliding_window": 3}
YARN = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 8}
FULL, LOCAL = "full_attention", "sliding_attention"
# Heads wider together than the stream, as no published config has them.
OWN_HEADS = {"num_attention_heads": 4, "head_dim": 8}

CASES = {
    # OLMo 2
    "olmo2_base": Case(Olmo2Model, ONE_LAYER, keep=(), dtype=torch.float32),
    "olmo2": Case(Olmo2ForCausalLM, keep=SOME, dtype=torch.float32),
    "olmo2_tied": Case(Olmo2ForCausalLM, ONE_LAYER | {"tie_word_embeddings": True}),
    "olmo2_biases": Case(Olmo2ForCausalLM, {"attention_bias": True, "hidden_act": "gelu"}),
    "olmo2_own_heads": Case(Olmo2ForCausalLM, ONE_LAYER | OWN_HEADS),
    "olmo2_no_shared_keys": Case(Olmo2ForCausalLM, ONE_LAYER | {"num_key_value_heads": None}),
    "olmo2_linear": Case(
        Olmo2ForCausalLM,
        ONE_LAYER | rope("linear", factor=2.5),
        inputs=far_positions,
        edit=of_2024,
    ),
    "olmo2_left_padding": Case(Olmo2ForCausalLM, ONE_LAYER, inputs=left_padded_with_positions),
    "olmo2_fully_masked_row": Case(Olmo2ForCausalLM, ONE_LAYER, inputs=fully_masked),
    "olmo2_sequence_classification": Case(
        Olmo2ForSequenceClassification,
        ONE_LAYER | {"num_labels": 3, "pad_token_id": PAD},
        inputs=padding_tokens,
    ),
    "olmo2_sharded": Case(Olmo2ForCausalLM, shard="8KB"),
    "olmo2_no_architectures": Case(Olmo2ForCausalLM, ONE_LAYER, edit=without_architectures),
    "olmo2_generate": Case(Olmo2ForCausalLM, ONE_LAYER | ENDLESS, inputs=prompt, generate=8),
    "olmo2_generate_left_padded": Case(
        Olmo2ForCausalLM, ONE_LAYER | ENDLESS, inputs=left_padded_prompt, generate=8
    ),
    # OLMo, whose norms have no weights
    "base": Case(OlmoModel, ONE_LAYER, keep=()),
    "lm": Case(OlmoForCausalLM, keep=SOME),
    "clipped": Case(
        OlmoForCausalLM,
        {"clip_qkv": 0.75, "attention_bias": True, "tie_word_embeddings": True},
        inputs=left_padded,
    ),
    "of_2024": Case(OlmoForCausalLM, ONE_LAYER, dtype=torch.float16, edit=of_2024),
    "sequence_classification": Case(
        OlmoForSequenceClassification, ONE_LAYER | {"num_labels": 3}, inputs=one_row
    ),
    "generate_clipped": Case(
        OlmoForCausalLM,
        ONE_LAYER | {"clip_qkv": 0.5, "eos_token_id": 31},
        inputs=prompt,
        generate=8,
    ),
    # OLMo 3
    "olmo3": Case(
        Olmo3ForCausalLM, WINDOW | {"num_hidden_layers": 4} | bases(100.0, 100.0, **YARN)
    ),
    "olmo3_base": Case(
        Olmo3Model,
        WINDOW | {"layer_types": [FULL, LOCAL]} | bases(77.5, 12.5),
        inputs=left_padded,
        keep=("last_hidden_state", "hidden_states.1"),
    ),
    "olmo3_of_2025": Case(
        Olmo3ForCausalLM,
        WINDOW | {"layer_types": [FULL, LOCAL]} | bases(100.0, 500000.0, **YARN),
        inputs=far_positions,
        edit=olmo3_of_2025,
    ),
    "olmo3_sequence_classification": Case(
        Olmo3ForSequenceClassification,
        ONE_LAYER | WINDOW | {"num_labels": 3, "pad_token_id": PAD},
        inputs=padding_tokens,
    ),
    "olmo3_generate": Case(
        Olmo3ForCausalLM,
        ENDLESS | {"layer_types": [LOCAL, FULL]} | WINDOW | bases(100.0, 12.5, **YARN),
        inputs=left_padded_prompt,
        generate=8,
    ),
}


def config(case, seed):
    sizes = SIZES | {"rms_norm_eps": 1e-3 if seed % 2 else 1e-5}
    if case.model.config_class is OlmoConfig:
        del sizes["rms_norm_eps"]
    return case.model.config_class(**(sizes | case.config), attn_implementation="eager")


def centre(name):
    return (1, 0.3) if "norm" in name and name.endswith("weight") else (0, 0.3)


if __name__ == "__main__":
    fixture.main(fixture.Family("olmo", config, CASES, centre))
