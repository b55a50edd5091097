"""Writes the fixtures of XGLM: python Tools/oracle/xglm.py [CASE ...]"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from transformers import XGLMForCausalLM, XGLMModel

import fixture
from fixture import rewrite_config, rewrite_weights
from gpt2 import (
    fully_masked,
    left_padded,
    left_padded_prompt,
    left_padded_with_positions,
    prompt,
)
from llama import far_positions, right_padded
from stablelm import without_architectures

SIZES = {
    "vocab_size": 37,
    "d_model": 12,
    "attention_heads": 3,
    "ffn_dim": 20,
    "num_layers": 1,
    "max_position_embeddings": 32,
    "bos_token_id": 0,
    "pad_token_id": 1,
    "eos_token_id": 36,
}


# --- Edits: turn what save_pretrained wrote into what others write ---------------------------


def least_config(folder):
    """What defaults say is left out."""

    def change(config):
        kept = {"architectures", "model_type", *SIZES} - {"pad_token_id", "bos_token_id"}
        return {key: value for key, value in config.items() if key in kept}

    rewrite_config(folder, change)


def with_positions(folder, dtype=torch.float32, wrong=False):
    """The vectors of positions, as the module computes them, among the weights."""

    def change(weights):
        table = XGLMModel(XGLMModel.config_class(**SIZES)).embed_positions.weights.clone()
        if wrong:
            table[7] = table[8]
        return weights | {"model.embed_positions.weights": table.to(dtype)}

    rewrite_weights(folder, change)


def wrong_positions(folder):
    with_positions(folder, wrong=True)


def cross_attention(folder):
    rewrite_config(folder, lambda config: config | {"add_cross_attention": True})


# --- Cases -----------------------------------------------------------------------------------


@dataclass
class Case(fixture.Case):
    inputs: Callable | None = right_padded
    keep: tuple = ("logits",)


TWO_LAYERS = {"num_layers": 2}
UNTIED = {"tie_word_embeddings": False}
SOME = ("logits", "hidden_states.0")

CASES = {
    # Head classes
    "base": Case(XGLMModel, TWO_LAYERS, keep=()),
    "lm": Case(XGLMForCausalLM, TWO_LAYERS, keep=()),
    "lm_untied": Case(XGLMForCausalLM, UNTIED),
    # Embeddings, widths, activations
    "not_scaled": Case(
        XGLMForCausalLM, {"scale_embedding": False, "activation_function": "relu"}, keep=SOME
    ),
    "odd_width": Case(XGLMForCausalLM, {"d_model": 15}, keep=SOME),
    # The vector of the place that has the number of the padding token is zero: that of position 3.
    "zero_position": Case(XGLMForCausalLM, {"pad_token_id": 5}, keep=SOME),
    "no_padding_token": Case(XGLMForCausalLM, {"pad_token_id": None}, inputs=far_positions),
    # Longer than the table, which grows
    "beyond_the_table": Case(XGLMForCausalLM, {"max_position_embeddings": 4}),
    # Inputs
    "far_positions": Case(XGLMForCausalLM, inputs=far_positions),
    "left_padding": Case(XGLMForCausalLM, inputs=left_padded),
    "left_padding_position_ids": Case(XGLMForCausalLM, inputs=left_padded_with_positions),
    "fully_masked_row": Case(XGLMForCausalLM, inputs=fully_masked),
    "generate": Case(XGLMForCausalLM, TWO_LAYERS, inputs=prompt, generate=10),
    "generate_left_padded": Case(XGLMForCausalLM, UNTIED, inputs=left_padded_prompt, generate=10),
    # Stored dtypes, files and names
    "f16": Case(XGLMForCausalLM, dtype=torch.float16),
    "sharded": Case(XGLMForCausalLM, TWO_LAYERS, shard="8KB"),
    "stored_positions": Case(XGLMForCausalLM, edit=with_positions),
    "least_config": Case(XGLMForCausalLM, edit=least_config),
    "no_architectures": Case(XGLMForCausalLM, UNTIED, edit=without_architectures),
    # To be refused
    "wrong_positions": Case(XGLMForCausalLM, edit=wrong_positions, inputs=None),
    "cross_attention": Case(XGLMForCausalLM, edit=cross_attention, inputs=None),
}


def config(case, seed):
    sizes = SIZES | case.config
    return case.model.config_class(**sizes, attn_implementation="eager")


def centre(name):
    return (1, 0.3) if "norm" in name and name.endswith("weight") else (0, 0.3)


if __name__ == "__main__":
    fixture.main(fixture.Family("xglm", config, CASES, centre))
