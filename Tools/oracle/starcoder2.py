"""Writes the fixtures of StarCoder2: python Tools/oracle/starcoder2.py [CASE ...]"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from transformers import (
    Starcoder2ForCausalLM,
    Starcoder2ForSequenceClassification,
    Starcoder2ForTokenClassification,
    Starcoder2Model,
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
        config["rope_theta"] = rotary.pop("rope_theta")
        kind = rotary.pop("rope_type")
        config["rope_scaling"] = None if kind == "default" else {"type": kind} | rotary
        config["torch_dtype"] = config.pop("dtype")
        del config["tie_word_embeddings"]
        return config

    rewrite_config(folder, change)


def of_2024(folder):
    """With keys of the training, which nothing reads."""
    of_transformers_4(folder)
    unread = {
        "activation_function": "gelu",
        "attention_softmax_in_fp32": True,
        "layer_norm_epsilon": 1e-05,
        "mlp_type": "default",
        "norm_type": "layer_norm",
        "scale_attention_softmax_in_fp32": True,
        "scale_attn_weights": True,
    }
    rewrite_config(folder, lambda config: config | unread)


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


# --- Cases -----------------------------------------------------------------------------------


@dataclass
class Case(fixture.Case):
    inputs: Callable | None = right_padded
    keep: tuple = ("logits",)
    dtype: torch.dtype = torch.bfloat16


def rope(kind, theta=100.0, **more):
    return {"rope_parameters": {"rope_type": kind, "rope_theta": theta} | more}


TWO_LAYERS = {"num_hidden_layers": 2}
UNTIED = {"tie_word_embeddings": False}
NO_BIAS = {"use_bias": False}
WINDOW = {"sliding_window": 3}
SOME = ("logits", "hidden_states.1")

CASES = {
    # Head classes
    "base": Case(Starcoder2Model, TWO_LAYERS, keep=(), dtype=torch.float32),
    "lm": Case(Starcoder2ForCausalLM, TWO_LAYERS, keep=()),
    "lm_untied": Case(Starcoder2ForCausalLM, UNTIED | NO_BIAS),
    "sequence_classification": Case(
        Starcoder2ForSequenceClassification,
        WINDOW | {"num_labels": 3, "pad_token_id": PAD},
        inputs=padding_tokens,
    ),
    "sequence_classification_no_pad": Case(
        Starcoder2ForSequenceClassification, NO_BIAS, inputs=one_row
    ),
    "token_classification": Case(Starcoder2ForTokenClassification, {"num_labels": 5}),
    # Heads, biases, windows, activations
    "windows": Case(Starcoder2ForCausalLM, TWO_LAYERS | WINDOW, keep=SOME, dtype=torch.float32),
    "wide_heads": Case(
        Starcoder2ForCausalLM, {"head_dim": 6, "num_key_value_heads": 1, "hidden_act": "gelu"}
    ),
    "no_shared_keys": Case(Starcoder2ForCausalLM, UNTIED | {"num_key_value_heads": 4}),
    # With the defaults of the class
    "least_config": Case(Starcoder2ForCausalLM, edit=least_config),
    # Rotary positions
    "theta": Case(Starcoder2ForCausalLM, rope("default", 77.5), inputs=far_positions),
    "linear_of_4": Case(
        Starcoder2ForCausalLM,
        NO_BIAS | rope("linear", factor=2.5),
        inputs=far_positions,
        edit=of_transformers_4,
    ),
    "dynamic": Case(
        Starcoder2ForCausalLM, {"max_position_embeddings": 6} | rope("dynamic", factor=2.0)
    ),
    "yarn": Case(
        Starcoder2ForCausalLM,
        rope("yarn", factor=4.0, original_max_position_embeddings=8),
        inputs=far_positions,
    ),
    # Inputs
    "left_padding": Case(Starcoder2ForCausalLM, WINDOW, inputs=left_padded),
    "left_padding_position_ids": Case(
        Starcoder2ForCausalLM, rope("default"), inputs=left_padded_with_positions
    ),
    "fully_masked_row": Case(Starcoder2ForCausalLM, WINDOW, inputs=fully_masked),
    "generate": Case(
        Starcoder2ForCausalLM, UNTIED | {"sliding_window": 4}, inputs=prompt, generate=10
    ),
    "generate_left_padded": Case(
        Starcoder2ForCausalLM, UNTIED | rope("default"), inputs=left_padded_prompt, generate=10
    ),
    # Stored dtypes, files and names
    "f16": Case(Starcoder2ForCausalLM, dtype=torch.float16),
    "sharded": Case(Starcoder2ForCausalLM, TWO_LAYERS, shard="8KB"),
    "of_2024": Case(Starcoder2ForCausalLM, WINDOW, edit=of_2024),
    "no_architectures": Case(Starcoder2ForCausalLM, UNTIED, edit=without_architectures),
}


def config(case, seed):
    epsilon = {} if case.edit is least_config else {"norm_epsilon": 1e-3 if seed % 2 else 1e-5}
    sizes = SIZES | epsilon | case.config
    return case.model.config_class(**sizes, attn_implementation="eager")


def centre(name):
    return (1, 0.3) if "norm" in name and name.endswith("weight") else (0, 0.3)


if __name__ == "__main__":
    fixture.main(fixture.Family("starcoder2", config, CASES, centre))
