"""Writes the fixtures of Llama and its members: python Tools/oracle/llama.py [CASE ...]"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from transformers import (
    LlamaForCausalLM,
    LlamaForQuestionAnswering,
    LlamaForSequenceClassification,
    LlamaForTokenClassification,
    LlamaModel,
    Ministral3ForCausalLM,
    Ministral3ForQuestionAnswering,
    MinistralForCausalLM,
    MinistralForQuestionAnswering,
    MinistralForTokenClassification,
    MistralForCausalLM,
    Qwen2ForCausalLM,
    Qwen2ForQuestionAnswering,
    Qwen3ForCausalLM,
    Qwen3ForSequenceClassification,
    SmolLM3ForCausalLM,
    SmolLM3ForQuestionAnswering,
    SmolLM3ForSequenceClassification,
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

# Two query heads share a key head, and all heads together are not as wide as the stream.
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


# --- Inputs ----------------------------------------------------------------------------------


def right_padded(random, config):
    """Two rows of 9, of which 9 and 5 are tokens."""
    return with_mask(random, config, np.arange(9) < np.array([[9], [5]]))


def seven_hundred(random, config):
    """One row, longer than any window and any original length."""
    return {"input_ids": random.integers(0, config.vocab_size, (1, 700))}


def far_positions(random, config):
    """Rows that begin in the middle of a text."""
    inputs = right_padded(random, config)
    positions = np.arange(9) + np.array([[5], [11]])
    return inputs | {"position_ids": positions}


# --- Edits: turn what save_pretrained wrote into what others write ---------------------------


def of_transformers_4(folder):
    """Rotary settings as transformers 4 spelled them, and no dtype of today."""

    def change(config):
        rotary = config.pop("rope_parameters")
        config["rope_theta"] = rotary.pop("rope_theta")
        kind = rotary.pop("rope_type")
        rotary["type" if kind == "linear" else "rope_type"] = kind
        config["rope_scaling"] = None if kind == "default" else rotary
        config["torch_dtype"] = config.pop("dtype")
        del config["head_dim"], config["tie_word_embeddings"]
        return config

    rewrite_config(folder, change)


def of_2023(folder):
    """No number of key heads, no base, and each layer's frequencies among the weights."""

    def without(config):
        for key in ("num_key_value_heads", "rope_parameters", "head_dim", "attention_bias"):
            del config[key]
        return config

    rewrite_config(folder, without)
    with_frequencies(folder, torch.float32)


def with_frequencies(folder, dtype, wrong=False):
    """`rotary_emb.inv_freq` as transformers stored it until 4.31."""

    def change(weights):
        for name in [name for name in weights if name.endswith("q_proj.weight")]:
            size = 4  # of a head, in the cases that take this edit
            base = 1000.0 if wrong else 10000.0
            frequencies = 1.0 / (base ** (torch.arange(0, size, 2).float() / size))
            layer = name.removesuffix("q_proj.weight")
            weights[f"{layer}rotary_emb.inv_freq"] = frequencies.to(dtype)
        return weights

    rewrite_weights(folder, change)


def without_layers_of_4(folder):
    """An interval in place of the lists of layers, as their default has it."""

    def change(config):
        config["rope_theta"] = config.pop("rope_parameters")["rope_theta"]
        del config["no_rope_layers"], config["layer_types"], config["tie_word_embeddings"]
        return config

    rewrite_config(folder, change)


def without_layer_types(folder):
    def change(config):
        del config["layer_types"]
        return config

    rewrite_config(folder, change)


def without_rotary(folder):
    """The class's own settings of rotary positions."""

    def change(config):
        del config["rope_parameters"]
        return config

    rewrite_config(folder, change)


def half_frequencies(folder):
    with_frequencies(folder, torch.bfloat16)


def wrong_frequencies(folder):
    with_frequencies(folder, torch.float32, wrong=True)


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


ONE_LAYER = {"num_hidden_layers": 1}
# Heads as wide as the stream together, none shared.
PLAIN = {"hidden_size": 16, "head_dim": None, "num_key_value_heads": None}
LLAMA3 = {"factor": 4.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0}
SOME = ("logits", "hidden_states.1")
# An end token that does not come up in what is generated.
ENDLESS = {"eos_token_id": 33}
WINDOWS = {"use_sliding_window": True, "sliding_window": 3}
SLIDING_FIRST = ["sliding_attention", "full_attention"]
STEPS = rope(
    "yarn",
    factor=4.0,
    original_max_position_embeddings=5,
    mscale=1.0,
    mscale_all_dim=1.0,
    llama_4_scaling_beta=0.7,
)

CASES = {
    # Head classes
    "base": Case(LlamaModel, PLAIN, keep=(), dtype=torch.float32),
    "lm": Case(LlamaForCausalLM, keep=(), dtype=torch.float32),
    "lm_tied": Case(LlamaForCausalLM, ONE_LAYER | {"tie_word_embeddings": True}),
    "sequence_classification": Case(
        LlamaForSequenceClassification,
        ONE_LAYER | {"num_labels": 3, "pad_token_id": PAD},
        inputs=padding_tokens,
    ),
    "sequence_classification_no_pad": Case(
        LlamaForSequenceClassification, ONE_LAYER, inputs=one_row
    ),
    "token_classification": Case(LlamaForTokenClassification, ONE_LAYER | {"num_labels": 5}),
    "question_answering": Case(LlamaForQuestionAnswering, ONE_LAYER, keep=()),
    # Heads and biases
    "one_key_head": Case(LlamaForCausalLM, ONE_LAYER | {"num_key_value_heads": 1}),
    "three_to_one": Case(
        LlamaForCausalLM,
        ONE_LAYER | {"num_attention_heads": 6, "num_key_value_heads": 2, "head_dim": 4},
    ),
    "biases": Case(LlamaForCausalLM, {"attention_bias": True, "mlp_bias": True}),
    # Rotary positions
    "theta": Case(
        LlamaForCausalLM,
        ONE_LAYER | {"hidden_act": "gelu", "rms_norm_eps": 1e-2} | rope("default", 77.5),
    ),
    "linear_of_4": Case(
        LlamaForCausalLM, PLAIN | ONE_LAYER | rope("linear", factor=2.5), edit=of_transformers_4
    ),
    "dynamic": Case(
        LlamaForCausalLM, ONE_LAYER | {"max_position_embeddings": 6} | rope("dynamic", factor=2.0)
    ),
    "llama3": Case(
        LlamaForCausalLM,
        ONE_LAYER | rope("llama3", original_max_position_embeddings=16, **LLAMA3),
        inputs=far_positions,
    ),
    "llama3_of_4": Case(
        LlamaForCausalLM,
        PLAIN | ONE_LAYER | rope("llama3", original_max_position_embeddings=8, **LLAMA3),
        edit=of_transformers_4,
    ),
    "llama3_long": Case(
        LlamaForSequenceClassification,
        ONE_LAYER
        | {"max_position_embeddings": 1024}
        | rope("llama3", 500.0, original_max_position_embeddings=64, **LLAMA3),
        inputs=seven_hundred,
    ),
    "yarn": Case(
        LlamaForCausalLM,
        ONE_LAYER | rope("yarn", factor=4.0, original_max_position_embeddings=8),
        inputs=far_positions,
    ),
    "yarn_scales": Case(
        LlamaForCausalLM,
        ONE_LAYER
        | rope(
            "yarn",
            factor=4.0,
            original_max_position_embeddings=16,
            beta_fast=4.0,
            beta_slow=0.5,
            mscale=0.8,
            mscale_all_dim=0.3,
            truncate=False,
        ),
    ),
    "yarn_attention_factor": Case(
        LlamaForCausalLM,
        ONE_LAYER
        | rope("yarn", factor=3.0, original_max_position_embeddings=16, attention_factor=1.25),
    ),
    "longrope": Case(
        LlamaForCausalLM,
        ONE_LAYER
        | rope(
            "longrope",
            factor=4.0,
            original_max_position_embeddings=8,
            short_factor=[1.0, 1.1, 1.2, 1.3],
            long_factor=[1.0, 2.0, 3.5, 5.0],
        ),
    ),
    "longrope_short": Case(
        LlamaForCausalLM,
        ONE_LAYER
        | rope(
            "longrope",
            original_max_position_embeddings=16,
            short_factor=[1.0, 1.1, 1.2, 1.3],
            long_factor=[1.0, 2.0, 3.5, 5.0],
        ),
    ),
    # Inputs
    "left_padding_position_ids": Case(
        LlamaForCausalLM, ONE_LAYER, inputs=left_padded_with_positions
    ),
    "fully_masked_row": Case(LlamaForCausalLM, ONE_LAYER, inputs=fully_masked),
    "generate": Case(
        LlamaForCausalLM, ONE_LAYER | {"eos_token_id": 32}, inputs=prompt, generate=10
    ),
    "generate_left_padded": Case(
        LlamaForCausalLM, ONE_LAYER | ENDLESS, inputs=left_padded_prompt, generate=10
    ),
    "generate_dynamic": Case(
        LlamaForCausalLM,
        ONE_LAYER | ENDLESS | {"max_position_embeddings": 8} | rope("dynamic", factor=2.0),
        inputs=prompt,
        dtype=torch.float32,
        generate=10,
    ),
    # Stored dtypes, files and names
    "sharded": Case(LlamaForCausalLM, shard="4KB"),
    "no_architectures": Case(LlamaForCausalLM, ONE_LAYER, edit=without_architectures),
    "of_2023": Case(LlamaForCausalLM, PLAIN, edit=of_2023),
    "half_frequencies": Case(
        LlamaForCausalLM, PLAIN | ONE_LAYER, edit=half_frequencies
    ),
    # Members
    "mistral": Case(MistralForCausalLM, {"sliding_window": 3}, keep=SOME),
    "mistral_no_window": Case(MistralForCausalLM, ONE_LAYER | {"sliding_window": None}),
    "mistral_generate": Case(
        MistralForCausalLM,
        ONE_LAYER | ENDLESS | {"sliding_window": 4},
        inputs=prompt,
        generate=10,
    ),
    "mistral_left_padded": Case(
        MistralForCausalLM, ONE_LAYER | {"sliding_window": 3}, inputs=left_padded
    ),
    "qwen2": Case(Qwen2ForCausalLM, {"tie_word_embeddings": True}, keep=SOME),
    "qwen2_windows": Case(
        Qwen2ForCausalLM,
        WINDOWS | {"num_hidden_layers": 3, "max_window_layers": 1},
    ),
    "qwen2_layer_types": Case(
        Qwen2ForCausalLM,
        WINDOWS | ENDLESS | {"layer_types": ["sliding_attention", "full_attention"]},
        inputs=prompt,
        generate=8,
    ),
    "qwen2_no_windows": Case(Qwen2ForCausalLM, ONE_LAYER | {"sliding_window": 3}),
    "qwen2_question_answering": Case(Qwen2ForQuestionAnswering, ONE_LAYER, keep=()),
    "qwen3": Case(Qwen3ForCausalLM, keep=SOME),
    "qwen3_biases": Case(
        Qwen3ForCausalLM, ONE_LAYER | WINDOWS | {"attention_bias": True, "max_window_layers": 0}
    ),
    "qwen3_generate": Case(
        Qwen3ForCausalLM,
        ONE_LAYER | {"eos_token_id": 27},
        inputs=left_padded_prompt,
        generate=8,
    ),
    "qwen3_sequence_classification": Case(
        Qwen3ForSequenceClassification,
        ONE_LAYER | {"num_labels": 3, "pad_token_id": PAD},
        inputs=padding_tokens,
    ),
    "smollm3": Case(
        SmolLM3ForCausalLM, {"num_hidden_layers": 4}, inputs=far_positions, edit=without_layers_of_4
    ),
    "smollm3_layers": Case(
        SmolLM3ForCausalLM,
        {"no_rope_layers": [0, 1], "attention_bias": True, "mlp_bias": True}
        | {"tie_word_embeddings": False},
        keep=SOME,
    ),
    # Windows are where no rotation is, unless a list says it.
    "smollm3_windows": Case(
        SmolLM3ForCausalLM, WINDOWS | {"no_rope_layer_interval": 2}, edit=without_layer_types
    ),
    "smollm3_layer_types": Case(
        SmolLM3ForCausalLM,
        {"sliding_window": 3, "no_rope_layers": [1, 0], "layer_types": SLIDING_FIRST},
        inputs=left_padded,
    ),
    "smollm3_generate": Case(
        SmolLM3ForCausalLM,
        {"eos_token_id": 28, "no_rope_layers": [0, 1]},
        inputs=left_padded_prompt,
        generate=8,
    ),
    "smollm3_question_answering": Case(SmolLM3ForQuestionAnswering, ONE_LAYER, keep=()),
    "smollm3_sequence_classification": Case(
        SmolLM3ForSequenceClassification,
        ONE_LAYER | {"num_labels": 3, "pad_token_id": PAD},
        inputs=padding_tokens,
    ),
    "ministral": Case(
        MinistralForCausalLM, {"sliding_window": 3, "layer_types": SLIDING_FIRST}, keep=SOME
    ),
    "ministral_windows": Case(
        MinistralForCausalLM, {"sliding_window": 3}, edit=without_layer_types
    ),
    "ministral_generate": Case(
        MinistralForCausalLM,
        ENDLESS | {"sliding_window": 4, "layer_types": SLIDING_FIRST[::-1]},
        inputs=left_padded_prompt,
        generate=8,
    ),
    "ministral_question_answering": Case(
        MinistralForQuestionAnswering, ONE_LAYER | {"sliding_window": 2}, keep=()
    ),
    "ministral_token_classification": Case(
        MinistralForTokenClassification, ONE_LAYER | {"sliding_window": 2, "num_labels": 5}
    ),
    # Queries far from the beginning are multiplied by a number that grows in steps.
    "ministral3": Case(
        Ministral3ForCausalLM, {"num_hidden_layers": 2} | STEPS, inputs=far_positions, keep=SOME
    ),
    "ministral3_window": Case(
        Ministral3ForCausalLM, STEPS | {"sliding_window": 3}, inputs=left_padded_with_positions
    ),
    "ministral3_defaults": Case(Ministral3ForCausalLM, ONE_LAYER, edit=without_rotary),
    "ministral3_generate": Case(
        Ministral3ForCausalLM,
        ENDLESS | STEPS | {"sliding_window": 4},
        inputs=prompt,
        generate=8,
    ),
    "ministral3_question_answering": Case(
        Ministral3ForQuestionAnswering, ONE_LAYER | STEPS, keep=()
    ),
    # To be refused
    "wrong_frequencies": Case(
        LlamaForCausalLM, PLAIN | ONE_LAYER, edit=wrong_frequencies, inputs=None
    ),
}


def config(case, seed):
    sizes = SIZES | {"rms_norm_eps": 1e-3 if seed % 2 else 1e-5}
    return case.model.config_class(**(sizes | case.config), attn_implementation="eager")


def centre(name):
    return (1, 0.3) if "norm" in name and name.endswith("weight") else (0, 0.3)


if __name__ == "__main__":
    fixture.main(fixture.Family("llama", config, CASES, centre))
