"""Writes the fixtures of Gemma and its members: python Tools/oracle/gemma.py [CASE ...]"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from transformers import (
    Gemma2ForCausalLM,
    Gemma2ForSequenceClassification,
    Gemma2ForTokenClassification,
    Gemma2Model,
    Gemma3ForCausalLM,
    Gemma3TextForSequenceClassification,
    Gemma3TextModel,
    GemmaConfig,
    GemmaForCausalLM,
    GemmaForSequenceClassification,
    GemmaForTokenClassification,
    GemmaModel,
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
    """Gemma as it was published: the exact GELU by name, the approximation in fact."""

    def change(config):
        config |= {"rope_theta": config.pop("rope_parameters")["rope_theta"]}
        config |= {"hidden_act": "gelu", "hidden_activation": None, "rope_scaling": None}
        config["torch_dtype"] = config.pop("dtype")
        del config["use_bidirectional_attention"], config["tie_word_embeddings"]
        return config

    rewrite_config(folder, change)


def gemma2_of_2024(folder):
    """No types of layers, and the activation under both keys."""

    def change(config):
        config |= {"rope_theta": config.pop("rope_parameters")["rope_theta"]}
        config |= {"hidden_act": "gelu_pytorch_tanh", "cache_implementation": "hybrid"}
        config |= {"torch_dtype": config.pop("dtype"), "sliding_window_size": 3}
        del config["layer_types"], config["use_bidirectional_attention"]
        return config

    rewrite_config(folder, change)


def gemma3_of_2025(folder):
    """A pattern in place of types of layers, and the two bases beside the scaling."""

    def change(config):
        rotary = config.pop("rope_parameters")
        whole = rotary["full_attention"]
        config["rope_local_base_freq"] = rotary["sliding_attention"]["rope_theta"]
        config["rope_theta"] = whole.pop("rope_theta")
        config["rope_scaling"] = None if whole["rope_type"] == "default" else whole
        config |= {"torch_dtype": config.pop("dtype"), "cache_implementation": "hybrid"}
        config["sliding_window_pattern"] = 3
        del config["layer_types"], config["use_bidirectional_attention"]
        return config

    rewrite_config(folder, change)


def without_defaults(folder):
    """A config that leaves what is usual to the class."""

    def change(config):
        for key in ("rope_parameters", "layer_types", "hidden_activation", "tie_word_embeddings"):
            del config[key]
        return config

    rewrite_config(folder, change)


# --- Cases -----------------------------------------------------------------------------------


@dataclass
class Case(fixture.Case):
    inputs: Callable | None = right_padded
    keep: tuple = ("logits",)
    dtype: torch.dtype = torch.bfloat16


def bases(whole=100.0, local=17.5, **scaling):
    """Rotary settings of the two types of layers; only those that see everything are scaled."""
    full = {"rope_type": "default", "rope_theta": whole} | scaling
    sliding = {"rope_type": "default", "rope_theta": local}
    return {"rope_parameters": {"full_attention": full, "sliding_attention": sliding}}


ONE_LAYER = {"num_hidden_layers": 1}
SOME = ("logits", "hidden_states.1")
# An end token that does not come up in what is generated.
ENDLESS = {"eos_token_id": 31}
WINDOW = {"sliding_window": 3}
FULL, LOCAL = "full_attention", "sliding_attention"
# So low that scores and logits are beyond them.
CAPS = {"attn_logit_softcapping": 1.5, "final_logit_softcapping": 2.5}
NO_CAPS = {"attn_logit_softcapping": None, "final_logit_softcapping": None}
THREE = {"num_hidden_layers": 3, "sliding_window": 3, "layer_types": [LOCAL, LOCAL, FULL]}

CASES = {
    # Gemma
    "base": Case(GemmaModel, ONE_LAYER, keep=(), dtype=torch.float32),
    "lm": Case(GemmaForCausalLM, keep=(), dtype=torch.float32),
    "untied": Case(GemmaForCausalLM, ONE_LAYER | {"tie_word_embeddings": False}),
    "biases": Case(GemmaForCausalLM, ONE_LAYER | {"attention_bias": True}, keep=SOME),
    "sequence_classification": Case(
        GemmaForSequenceClassification,
        ONE_LAYER | {"num_labels": 3, "pad_token_id": PAD},
        inputs=padding_tokens,
    ),
    "token_classification": Case(GemmaForTokenClassification, ONE_LAYER | {"num_labels": 5}),
    "one_key_head": Case(
        GemmaForCausalLM, ONE_LAYER | {"num_attention_heads": 3, "num_key_value_heads": 1}
    ),
    "llama3": Case(
        GemmaForCausalLM,
        ONE_LAYER
        | rope(
            "llama3",
            factor=4.0,
            low_freq_factor=1.0,
            high_freq_factor=4.0,
            original_max_position_embeddings=16,
        ),
        inputs=far_positions,
    ),
    "of_2024": Case(GemmaForCausalLM, ONE_LAYER, dtype=torch.float16, edit=of_2024),
    "sharded": Case(GemmaForCausalLM, shard="4KB"),
    "no_architectures": Case(GemmaForCausalLM, ONE_LAYER, edit=without_architectures),
    "generate": Case(GemmaForCausalLM, ONE_LAYER | ENDLESS, inputs=prompt, generate=10),
    # Gemma 2
    "gemma2": Case(Gemma2ForCausalLM, WINDOW | CAPS, keep=SOME),
    "gemma2_base": Case(Gemma2Model, ONE_LAYER | CAPS, keep=()),
    "gemma2_uncapped": Case(
        Gemma2ForCausalLM, WINDOW | NO_CAPS | {"query_pre_attn_scalar": 5}, keep=SOME
    ),
    "gemma2_logits_capped": Case(
        Gemma2ForCausalLM,
        ONE_LAYER
        | {"attn_logit_softcapping": None, "final_logit_softcapping": 0.75}
        | {"hidden_activation": "silu", "attention_bias": True, "tie_word_embeddings": False},
    ),
    "gemma2_layer_types": Case(
        Gemma2ForCausalLM, CAPS | {"sliding_window": 2, "layer_types": [FULL, LOCAL]}
    ),
    "gemma2_left_padding": Case(Gemma2ForCausalLM, WINDOW | CAPS, inputs=left_padded),
    "gemma2_fully_masked_row": Case(
        Gemma2ForCausalLM, ONE_LAYER | WINDOW | CAPS, inputs=fully_masked
    ),
    "gemma2_of_2024": Case(
        Gemma2ForCausalLM, WINDOW | CAPS | {"num_hidden_layers": 3}, edit=gemma2_of_2024
    ),
    "gemma2_sequence_classification": Case(
        Gemma2ForSequenceClassification, ONE_LAYER | CAPS | {"num_labels": 3}, inputs=one_row
    ),
    "gemma2_token_classification": Case(
        Gemma2ForTokenClassification, ONE_LAYER | CAPS | {"num_labels": 4}
    ),
    "gemma2_generate": Case(
        Gemma2ForCausalLM,
        ENDLESS | CAPS | {"sliding_window": 4, "final_logit_softcapping": 30.0},
        inputs=left_padded_prompt,
        generate=10,
    ),
    # Gemma 3
    "gemma3": Case(Gemma3ForCausalLM, THREE | bases(), keep=SOME),
    "gemma3_base": Case(Gemma3TextModel, WINDOW | ONE_LAYER, inputs=far_positions, keep=()),
    "gemma3_linear": Case(
        Gemma3ForCausalLM,
        THREE | bases(rope_type="linear", factor=8.0),
        inputs=left_padded_with_positions,
    ),
    "gemma3_of_2025": Case(
        Gemma3ForCausalLM,
        THREE | bases(rope_type="linear", factor=8.0),
        edit=gemma3_of_2025,
    ),
    "gemma3_yarn": Case(
        Gemma3ForCausalLM,
        WINDOW
        | {"layer_types": [FULL, LOCAL]}
        | bases(rope_type="yarn", factor=4.0, original_max_position_embeddings=8),
        inputs=far_positions,
    ),
    # Without types of layers, the sixth is the first that sees everything.
    "gemma3_defaults": Case(
        Gemma3ForCausalLM,
        WINDOW
        | {"num_hidden_layers": 6, "hidden_size": 8, "intermediate_size": 4, "head_dim": 4}
        | {"query_pre_attn_scalar": 256},
        edit=without_defaults,
    ),
    # A bound of the scores is in the config, and not in the mathematics.
    "gemma3_capped": Case(
        Gemma3ForCausalLM,
        ONE_LAYER | CAPS | {"attention_bias": True, "tie_word_embeddings": False} | bases(),
    ),
    "gemma3_both_ways": Case(
        Gemma3TextModel,
        THREE | bases() | {"sliding_window": 5, "use_bidirectional_attention": True},
        inputs=left_padded,
        keep=("last_hidden_state", "hidden_states.1"),
    ),
    "gemma3_sequence_classification": Case(
        Gemma3TextForSequenceClassification,
        ONE_LAYER | {"num_labels": 3, "pad_token_id": PAD, "query_pre_attn_scalar": 11},
        inputs=padding_tokens,
    ),
    "gemma3_generate": Case(
        Gemma3ForCausalLM, THREE | ENDLESS | bases(), inputs=prompt, generate=10
    ),
    "gemma3_generate_left_padded": Case(
        Gemma3ForCausalLM, THREE | ENDLESS | bases(), inputs=left_padded_prompt, generate=8
    ),
}


def config(case, seed):
    sizes = SIZES | {"rms_norm_eps": 1e-3 if seed % 2 else 1e-5}
    if case.model.config_class is not GemmaConfig:
        sizes["query_pre_attn_scalar"] = 6  # neither a head's size nor one that flattens scores
    return case.model.config_class(**(sizes | case.config), attn_implementation="eager")


def centre(_):
    """Norms hold the distance of their gain from 1."""
    return (0, 0.3)


if __name__ == "__main__":
    fixture.main(fixture.Family("gemma", config, CASES, centre))
