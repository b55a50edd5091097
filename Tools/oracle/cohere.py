"""Writes the fixtures of Cohere's decoders: python Tools/oracle/cohere.py [CASE ...]"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from transformers import Cohere2ForCausalLM, Cohere2Model, CohereForCausalLM, CohereModel

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
    "logit_scale": 0.75,
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


def of_2025(folder):
    """A pattern in place of types of layers."""

    def change(config):
        config |= {"rope_theta": config.pop("rope_parameters")["rope_theta"]}
        config |= {"torch_dtype": config.pop("dtype"), "cache_implementation": "hybrid"}
        config |= {"sliding_window_pattern": 3, "order_of_interleaved_layers": "local_attn_first"}
        config |= {"rotary_pct": 1.0, "position_embedding_type": "rope_gptj"}
        config |= {"use_embedding_sharing": True, "use_gated_activation": True}
        config |= {"use_parallel_block": True, "use_parallel_embedding": False}
        del config["layer_types"], config["tie_word_embeddings"]
        return config

    rewrite_config(folder, change)


def without_defaults(folder):
    """A config that leaves what is usual to the class."""

    def change(config):
        for key in ("rope_parameters", "layer_types", "logit_scale", "layer_norm_eps"):
            config.pop(key, None)
        return config

    rewrite_config(folder, change)


# --- Cases -----------------------------------------------------------------------------------


@dataclass
class Case(fixture.Case):
    inputs: Callable | None = right_padded
    keep: tuple = ("logits",)
    dtype: torch.dtype = torch.bfloat16


ONE_LAYER = {"num_hidden_layers": 1}
SOME = ("logits", "hidden_states.1")
UNTIED = {"tie_word_embeddings": False}
NORMS = {"use_qk_norm": True}
# An end token that does not come up in what is generated.
ENDLESS = {"eos_token_id": 29}
WINDOW = {"sliding_window": 3} | rope("default")
FULL, LOCAL = "full_attention", "sliding_attention"
LOCAL_FIRST = WINDOW | {"layer_types": [LOCAL, FULL]}
# What the class leaves out of a config is so.
USUAL = {"logit_scale": 0.0625, "layer_norm_eps": 1e-5}

CASES = {
    # Cohere
    "base": Case(CohereModel, ONE_LAYER, keep=()),
    "lm": Case(CohereForCausalLM, rope("default"), keep=SOME, dtype=torch.float32),
    "untied": Case(CohereForCausalLM, ONE_LAYER | UNTIED),
    "biases": Case(CohereForCausalLM, {"attention_bias": True, "hidden_act": "gelu"}),
    "norms": Case(CohereForCausalLM, NORMS | rope("default"), keep=SOME),
    "norms_biases": Case(
        CohereForCausalLM,
        ONE_LAYER | NORMS | {"attention_bias": True, "num_key_value_heads": None},
        inputs=left_padded_with_positions,
    ),
    "own_heads": Case(
        CohereForCausalLM, ONE_LAYER | NORMS | {"num_attention_heads": 4, "head_dim": 8}
    ),
    "linear": Case(
        CohereForCausalLM,
        ONE_LAYER | rope("linear", factor=2.5),
        inputs=far_positions,
        edit=of_2024,
    ),
    "dynamic": Case(
        CohereForCausalLM,
        ONE_LAYER | {"max_position_embeddings": 6} | rope("dynamic", factor=2.0),
    ),
    "defaults": Case(CohereForCausalLM, ONE_LAYER | USUAL, edit=without_defaults),
    "of_2024": Case(CohereForCausalLM, ONE_LAYER, dtype=torch.float16, edit=of_2024),
    "sharded": Case(CohereForCausalLM, shard="8KB"),
    "no_architectures": Case(CohereForCausalLM, ONE_LAYER, edit=without_architectures),
    "generate": Case(CohereForCausalLM, ONE_LAYER | ENDLESS | NORMS, inputs=prompt, generate=8),
    # Cohere 2
    "cohere2": Case(Cohere2ForCausalLM, WINDOW | {"num_hidden_layers": 4}, keep=SOME),
    "cohere2_base": Case(
        Cohere2Model, LOCAL_FIRST, inputs=far_positions, keep=("last_hidden_state",)
    ),
    "cohere2_layer_types": Case(
        Cohere2ForCausalLM,
        WINDOW | UNTIED | {"layer_types": [FULL, LOCAL], "attention_bias": True},
        keep=SOME,
    ),
    # Positions are all the same to it then.
    "cohere2_no_windows": Case(
        Cohere2ForCausalLM, WINDOW | {"layer_types": [FULL, FULL]}, inputs=far_positions
    ),
    "cohere2_left_padding": Case(Cohere2ForCausalLM, LOCAL_FIRST, inputs=left_padded),
    "cohere2_fully_masked_row": Case(Cohere2ForCausalLM, LOCAL_FIRST, inputs=fully_masked),
    "cohere2_of_2025": Case(
        Cohere2ForCausalLM,
        WINDOW | {"num_hidden_layers": 3, "layer_types": [LOCAL, LOCAL, FULL]},
        edit=of_2025,
    ),
    "cohere2_defaults": Case(
        Cohere2ForCausalLM, ONE_LAYER | USUAL | {"sliding_window": 3}, edit=without_defaults
    ),
    "cohere2_yarn": Case(
        Cohere2ForCausalLM,
        LOCAL_FIRST | rope("yarn", factor=4.0, original_max_position_embeddings=8),
        inputs=far_positions,
    ),
    "cohere2_generate": Case(Cohere2ForCausalLM, LOCAL_FIRST | ENDLESS, inputs=prompt, generate=8),
    "cohere2_generate_left_padded": Case(
        Cohere2ForCausalLM, LOCAL_FIRST | ENDLESS, inputs=left_padded_prompt, generate=8
    ),
}


def config(case, seed):
    sizes = SIZES | {"layer_norm_eps": 1e-3 if seed % 2 else 1e-5}
    return case.model.config_class(**(sizes | case.config), attn_implementation="eager")


def centre(name):
    return (1, 0.3) if "norm" in name and name.endswith("weight") else (0, 0.3)


if __name__ == "__main__":
    fixture.main(fixture.Family("cohere", config, CASES, centre))
