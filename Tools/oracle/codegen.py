"""Writes the fixtures of CodeGen: python Tools/oracle/codegen.py [CASE ...]"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from transformers import CodeGenConfig, CodeGenForCausalLM, CodeGenModel

import fixture
from fixture import rewrite_config, rewrite_weights
from gpt2 import (
    fully_masked,
    left_padded,
    left_padded_prompt,
    left_padded_with_positions,
    prompt,
)
from gptj import (
    every_position,
    null_part,
    odd_part,
    typed,
    without_architectures,
    without_prefix,
)
from llama import far_positions, right_padded

# Four heads of 6, of which 4 numbers are turned.
SIZES = {
    "vocab_size": 29,
    "n_embd": 24,
    "n_head": 4,
    "n_inner": 20,
    "n_layer": 1,
    "n_positions": 24,
    "n_ctx": 24,
    "rotary_dim": 4,
    "bos_token_id": 28,
    "eos_token_id": 27,
}


# --- Edits: turn what save_pretrained wrote into what others write ---------------------------


def with_masks(folder, dtype, wrong=False):
    """The mask, which every layer once stored."""

    def change(weights):
        for name in [name for name in weights if name.endswith("attn.out_proj.weight")]:
            positions = SIZES["n_positions"]
            triangle = torch.ones(1, 1, positions, positions).tril().to(dtype)
            if wrong:
                triangle[0, 0, 3, 4] = 1
            weights[name.replace("out_proj.weight", "causal_mask")] = triangle
        return weights

    rewrite_weights(folder, change)


def of_2022(folder):
    """As the first files: masks as bytes, and a config of those days."""
    with_masks(folder, torch.uint8)

    def change(config):
        old = {"gradient_checkpointing": False, "scale_attn_weights": True}
        old |= {"summary_activation": None, "summary_first_dropout": 0.1}
        old |= {"summary_proj_to_labels": True, "summary_type": "cls_index"}
        old |= {"summary_use_proj": True, "torch_dtype": config.pop("dtype")}
        return config | old

    rewrite_config(folder, change)


def with_bool_masks(folder):
    with_masks(folder, torch.bool)


def wrong_mask(folder):
    with_masks(folder, torch.uint8, wrong=True)


def least_config(folder):
    """What defaults say is left out."""

    def change(config):
        kept = {"architectures", "model_type", *SIZES} - {"n_inner", "n_ctx"}
        return {key: value for key, value in config.items() if key in kept}

    rewrite_config(folder, change)


def six_heads(folder):
    """A number of heads that does not go by four."""
    rewrite_config(folder, lambda config: config | {"n_head": 6})


# --- Cases -----------------------------------------------------------------------------------


@dataclass
class Case(fixture.Case):
    inputs: Callable | None = right_padded
    keep: tuple = ("logits",)
    dtype: torch.dtype = torch.bfloat16


TWO_LAYERS = {"n_layer": 2}
TIED = {"tie_word_embeddings": True}
WHOLE = {"rotary_dim": 6}
# Two heads in each of the four parts of the projection.
EIGHT = {"n_embd": 32, "n_head": 8}
SOME = ("logits", "hidden_states.1")

CASES = {
    # Head classes
    "base": Case(CodeGenModel, TWO_LAYERS, keep=(), dtype=torch.float32),
    "lm": Case(CodeGenForCausalLM, TWO_LAYERS, keep=()),
    "lm_tied": Case(CodeGenForCausalLM, TIED),
    # Heads, sizes, activations
    "eight_heads": Case(CodeGenForCausalLM, EIGHT, keep=SOME),
    "four_times": Case(CodeGenForCausalLM, {"n_inner": None}, edit=least_config),
    "gelu": Case(CodeGenForCausalLM, {"activation_function": "gelu"}),
    # Rotary positions
    "whole_heads": Case(CodeGenForCausalLM, WHOLE, inputs=far_positions),
    "two_numbers": Case(CodeGenForCausalLM, {"rotary_dim": 2}, inputs=far_positions),
    "null_part": Case(CodeGenForCausalLM, WHOLE, edit=null_part, reloads=False),
    "every_position": Case(CodeGenForCausalLM, inputs=every_position),
    # Inputs
    "token_types": Case(CodeGenForCausalLM, inputs=typed),
    "left_padding": Case(CodeGenForCausalLM, inputs=left_padded),
    "left_padding_position_ids": Case(
        CodeGenForCausalLM, WHOLE, inputs=left_padded_with_positions
    ),
    "fully_masked_row": Case(CodeGenForCausalLM, inputs=fully_masked),
    "generate": Case(CodeGenForCausalLM, EIGHT, inputs=prompt, generate=10),
    "generate_left_padded": Case(
        CodeGenForCausalLM, WHOLE, inputs=left_padded_prompt, generate=10
    ),
    # Stored dtypes, files and names
    "f16": Case(CodeGenForCausalLM, dtype=torch.float16),
    "sharded": Case(CodeGenForCausalLM, TWO_LAYERS, shard="12KB"),
    "of_2022": Case(CodeGenForCausalLM, TWO_LAYERS, edit=of_2022, dtype=torch.float16),
    "bool_masks": Case(CodeGenForCausalLM, edit=with_bool_masks),
    "no_prefix": Case(CodeGenForCausalLM, edit=without_prefix),
    "no_architectures": Case(CodeGenForCausalLM, edit=without_architectures),
    # To be refused
    "wrong_mask": Case(CodeGenForCausalLM, edit=wrong_mask, inputs=None),
    "odd_part": Case(CodeGenForCausalLM, edit=odd_part, inputs=None),
    "six_heads": Case(CodeGenForCausalLM, edit=six_heads, inputs=None),
}


def config(case, seed):
    sizes = SIZES | {"layer_norm_epsilon": 1e-3 if seed % 2 else 1e-5}
    if case.edit is least_config:
        del sizes["layer_norm_epsilon"]
    return CodeGenConfig(**(sizes | case.config), attn_implementation="eager")


def centre(name):
    norm = ".ln_" in f".{name}" and name.endswith("weight")
    return (1, 0.3) if norm else (0, 0.3)


if __name__ == "__main__":
    fixture.main(fixture.Family("codegen", config, CASES, centre))
