"""Writes the fixtures of GPT-J: python Tools/oracle/gptj.py [CASE ...]"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from transformers import (
    GPTJConfig,
    GPTJForCausalLM,
    GPTJForQuestionAnswering,
    GPTJForSequenceClassification,
    GPTJModel,
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
)
from llama import far_positions, right_padded

# Two heads of 8, of which 4 numbers are turned.
SIZES = {
    "vocab_size": 37,
    "n_embd": 16,
    "n_head": 2,
    "n_inner": 20,
    "n_layer": 1,
    "n_positions": 24,
    "rotary_dim": 4,
    "bos_token_id": 36,
    "eos_token_id": 36,
}


# --- Inputs ----------------------------------------------------------------------------------


def typed(random, config):
    """With token types, which are vocabulary ids."""
    inputs = right_padded(random, config)
    types = random.integers(0, config.vocab_size, inputs["input_ids"].shape)
    return inputs | {"token_type_ids": types}


def every_position(random, config):
    return {"input_ids": random.integers(0, config.vocab_size, (1, config.n_positions))}


# --- Edits: turn what save_pretrained wrote into what others write ---------------------------


def with_buffers(folder, mask, dtype, wrong=False):
    """The mask and the number that it masked with, which every layer once stored."""

    def change(weights):
        for name in [name for name in weights if name.endswith("attn.out_proj.weight")]:
            attention = name.removesuffix("out_proj.weight")
            positions = SIZES["n_positions"]
            triangle = torch.ones(1, 1, positions, positions).tril()
            weights[f"{attention}bias"] = triangle.to(mask)
            weights[f"{attention}masked_bias"] = torch.tensor(-1e4 if wrong else -1e9).to(dtype)
        return weights

    rewrite_weights(folder, change)


def of_2021(folder):
    """As the first files: masks as bytes, and a config of those days."""
    with_buffers(folder, torch.uint8, torch.float32)

    def change(config):
        old = {"gradient_checkpointing": False, "rotary": True, "scale_attn_weights": True}
        old |= {"summary_activation": None, "summary_first_dropout": 0.1}
        old |= {"summary_proj_to_labels": True, "summary_type": "cls_index"}
        old |= {"summary_use_proj": True, "torch_dtype": config.pop("dtype")}
        return config | old

    rewrite_config(folder, change)


def of_2022(folder):
    with_buffers(folder, torch.bool, torch.float16)


def wrong_masked_bias(folder):
    with_buffers(folder, torch.uint8, torch.float32, wrong=True)


def least_config(folder):
    """What defaults say is left out."""

    def change(config):
        kept = {"architectures", "model_type", *SIZES} - {"n_inner"}
        return {key: value for key, value in config.items() if key in kept}

    rewrite_config(folder, change)


def other_names(folder):
    """Sizes under the names that other models have for them."""

    def change(config):
        for old, new in (
            ("n_embd", "hidden_size"),
            ("n_head", "num_attention_heads"),
            ("n_layer", "num_hidden_layers"),
            ("n_positions", "max_position_embeddings"),
        ):
            config[new] = config.pop(old)
        return config

    rewrite_config(folder, change)


def null_part(folder):
    """Null stood for whole heads; transformers of today takes no null."""
    rewrite_config(folder, lambda config: config | {"rotary_dim": None})


def odd_part(folder):
    """A part of the heads that has no pairs."""
    rewrite_config(folder, lambda config: config | {"rotary_dim": 3})


def without_prefix(folder):
    rewrite_weights(
        folder, lambda weights: {k.removeprefix("transformer."): v for k, v in weights.items()}
    )


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


TWO_LAYERS = {"n_layer": 2}
TIED = {"tie_word_embeddings": True}
WHOLE = {"rotary_dim": 8}
SOME = ("logits", "hidden_states.1")

CASES = {
    # Head classes
    "base": Case(GPTJModel, TWO_LAYERS, keep=(), dtype=torch.float32),
    "lm": Case(GPTJForCausalLM, TWO_LAYERS, keep=()),
    "lm_tied": Case(GPTJForCausalLM, TIED),
    "sequence_classification": Case(
        GPTJForSequenceClassification,
        {"num_labels": 3, "pad_token_id": PAD},
        inputs=padding_tokens,
    ),
    "sequence_classification_no_pad": Case(GPTJForSequenceClassification, inputs=one_row),
    "question_answering": Case(GPTJForQuestionAnswering, keep=()),
    # Sizes, activations
    "four_times": Case(GPTJForCausalLM, {"n_inner": None}, edit=least_config),
    "gelu": Case(GPTJForCausalLM, {"activation_function": "gelu"}),
    "relu": Case(GPTJForCausalLM, {"activation_function": "relu", "n_head": 4, "rotary_dim": 2}),
    # Rotary positions
    "whole_heads": Case(GPTJForCausalLM, WHOLE, inputs=far_positions),
    "most_of_heads": Case(
        GPTJForCausalLM, {"rotary_dim": 6}, inputs=far_positions, dtype=torch.float32
    ),
    "null_part": Case(GPTJForCausalLM, WHOLE, edit=null_part, reloads=False),
    "every_position": Case(GPTJForCausalLM, inputs=every_position),
    # Inputs
    "token_types": Case(GPTJForCausalLM, inputs=typed),
    "left_padding": Case(GPTJForCausalLM, inputs=left_padded),
    "left_padding_position_ids": Case(GPTJForCausalLM, WHOLE, inputs=left_padded_with_positions),
    "fully_masked_row": Case(GPTJForCausalLM, inputs=fully_masked),
    "generate": Case(
        GPTJForCausalLM,
        TWO_LAYERS | {"eos_token_id": 35},
        inputs=prompt,
        keep=SOME,
        generate=10,
    ),
    "generate_left_padded": Case(
        GPTJForCausalLM, WHOLE, inputs=left_padded_prompt, generate=10
    ),
    # Stored dtypes, files and names
    "f16": Case(GPTJForCausalLM, dtype=torch.float16),
    "sharded": Case(GPTJForCausalLM, TWO_LAYERS, shard="8KB"),
    "of_2021": Case(GPTJForCausalLM, TWO_LAYERS, edit=of_2021),
    "of_2022": Case(GPTJForCausalLM, edit=of_2022, dtype=torch.float16),
    "other_names": Case(GPTJForCausalLM, edit=other_names),
    "no_prefix": Case(GPTJForCausalLM, edit=without_prefix),
    "no_architectures": Case(GPTJForCausalLM, edit=without_architectures),
    # To be refused
    "wrong_masked_bias": Case(GPTJForCausalLM, edit=wrong_masked_bias, inputs=None),
    "odd_part": Case(GPTJForCausalLM, edit=odd_part, inputs=None),
}


def config(case, seed):
    sizes = SIZES | {"layer_norm_epsilon": 1e-3 if seed % 2 else 1e-5}
    if case.edit is least_config:
        del sizes["layer_norm_epsilon"]
    return GPTJConfig(**(sizes | case.config), attn_implementation="eager")


def centre(name):
    norm = ".ln_" in f".{name}" and name.endswith("weight")
    return (1, 0.3) if norm else (0, 0.3)


if __name__ == "__main__":
    fixture.main(fixture.Family("gptj", config, CASES, centre))
