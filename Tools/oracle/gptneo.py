"""Writes the fixtures of GPT-Neo: python Tools/oracle/gptneo.py [CASE ...]"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from transformers import (
    GPTNeoConfig,
    GPTNeoForCausalLM,
    GPTNeoForQuestionAnswering,
    GPTNeoForSequenceClassification,
    GPTNeoForTokenClassification,
    GPTNeoModel,
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
from gptj import typed, without_architectures, without_prefix
from llama import right_padded

# Two heads of 8; one layer that sees all, and one that sees three tokens.
SIZES = {
    "vocab_size": 37,
    "hidden_size": 16,
    "num_heads": 2,
    "intermediate_size": 20,
    "num_layers": 2,
    "attention_types": [[["global", "local"], 1]],
    "window_size": 3,
    "max_position_embeddings": 24,
    "bos_token_id": 36,
    "eos_token_id": 36,
}


# --- Inputs ----------------------------------------------------------------------------------


def gaps(random, config):
    """Padding longer than the window, between tokens and behind them: what is masked and what is out of
    reach hide a key twice."""
    place = np.arange(12)
    return with_mask(random, config, [(place < 3) | (place > 8), place < 4])


def beyond_the_window(random, config):
    """Two rows of 280, longer than the window of 256."""
    mask = np.arange(280) < np.array([[280], [12]])
    return with_mask(random, config, mask)


def every_position(random, config):
    length = config.max_position_embeddings
    return {"input_ids": random.integers(0, config.vocab_size, (1, length))}


# --- Edits: turn what save_pretrained wrote into what others write ---------------------------


def with_buffers(folder, mask, dtype, local_as_global=False):
    """The masks and the number that they masked with, which every layer once stored; that of a local
    layer has its window."""

    def change(weights):
        for name in [name for name in weights if name.endswith("attention.out_proj.weight")]:
            attention = name.removesuffix("out_proj.weight")
            positions, window = SIZES["max_position_embeddings"], SIZES["window_size"]
            square = torch.ones(1, 1, positions, positions).tril()
            if ".h.1." in name and not local_as_global:
                square = square - square.tril(-window)
            weights[f"{attention}bias"] = square.to(mask)
            weights[f"{attention}masked_bias"] = torch.tensor(-1e9).to(dtype)
        return weights

    rewrite_weights(folder, change)


def of_2021(folder):
    """As the first files: masks as bytes, and a config of those days."""
    with_buffers(folder, torch.uint8, torch.float32)

    def change(config):
        kinds = [kind for names, times in config["attention_types"] for kind in names * times]
        old = {"attention_layers": kinds, "gradient_checkpointing": False}
        old |= {"summary_activation": None, "summary_first_dropout": 0.1}
        old |= {"summary_proj_to_labels": True, "summary_type": "cls_index"}
        old |= {"summary_use_proj": True, "torch_dtype": config.pop("dtype")}
        old |= {"embed_dropout": 0, "resid_dropout": 0, "attention_dropout": 0}
        return config | old

    rewrite_config(folder, change)


def with_bool_masks(folder):
    with_buffers(folder, torch.bool, torch.float32)


def wrong_mask(folder):
    """A local layer with the mask of one that sees all."""
    with_buffers(folder, torch.uint8, torch.float32, local_as_global=True)


def least_config(folder):
    """What defaults say is left out."""

    def change(config):
        kept = {"architectures", "model_type", *SIZES}
        kept -= {"intermediate_size", "window_size"}
        return {key: value for key, value in config.items() if key in kept}

    rewrite_config(folder, change)


def with_types(folder, types, keeps_list=False):
    """Other types of attention, with or without the list of layers that goes before them."""

    def change(config):
        if not keeps_list:
            del config["attention_layers"]
        return config | {"attention_types": types}

    rewrite_config(folder, change)


def list_decides(folder):
    with_types(folder, [[["global"], 2]], keeps_list=True)


def too_few_types(folder):
    with_types(folder, [[["global"], 1]])


def unknown_type(folder):
    with_types(folder, [[["global", "strided"], 1]])


# --- Cases -----------------------------------------------------------------------------------


@dataclass
class Case(fixture.Case):
    inputs: Callable | None = right_padded
    keep: tuple = ("logits",)
    dtype: torch.dtype = torch.bfloat16


def types(*groups):
    """`types(("global", "local"), 2)` for four layers."""
    pairs = list(zip(groups[::2], groups[1::2]))
    layers = sum(len(names) * times for names, times in pairs)
    return {"attention_types": [[list(n), t] for n, t in pairs], "num_layers": layers}


GLOBAL = types(("global",), 1)
LOCAL = types(("local",), 1)
UNTIED = {"tie_word_embeddings": False}
SOME = ("logits", "hidden_states.1")

CASES = {
    # Head classes
    "base": Case(GPTNeoModel, keep=(), dtype=torch.float32),
    "lm": Case(GPTNeoForCausalLM, keep=()),
    "lm_untied": Case(GPTNeoForCausalLM, LOCAL | UNTIED),
    "sequence_classification": Case(
        GPTNeoForSequenceClassification,
        {"num_labels": 3, "pad_token_id": PAD},
        inputs=padding_tokens,
    ),
    "sequence_classification_no_pad": Case(
        GPTNeoForSequenceClassification, LOCAL, inputs=one_row
    ),
    "token_classification": Case(GPTNeoForTokenClassification, GLOBAL | {"num_labels": 5}),
    "question_answering": Case(GPTNeoForQuestionAnswering, LOCAL, keep=()),
    # Layers, windows, activations
    "three_layers": Case(
        GPTNeoForCausalLM,
        types(("local",), 1, ("global", "local"), 1) | {"window_size": 2},
        keep=SOME,
        dtype=torch.float32,
    ),
    "window_of_one": Case(GPTNeoForCausalLM, LOCAL | {"window_size": 1}),
    "gelu": Case(GPTNeoForCausalLM, GLOBAL | {"activation_function": "gelu"}),
    "least_config": Case(
        GPTNeoForQuestionAnswering,
        {"intermediate_size": None, "window_size": 256, "max_position_embeddings": 300},
        inputs=beyond_the_window,
        keep=("start_logits",),
        edit=least_config,
    ),
    "every_position": Case(GPTNeoForCausalLM, inputs=every_position),
    # Inputs
    "token_types": Case(GPTNeoForCausalLM, GLOBAL, inputs=typed),
    "left_padding": Case(GPTNeoForCausalLM, inputs=left_padded),
    "left_padding_position_ids": Case(GPTNeoForCausalLM, inputs=left_padded_with_positions),
    "fully_masked_row": Case(GPTNeoForCausalLM, inputs=fully_masked),
    "gaps": Case(GPTNeoForCausalLM, inputs=gaps, keep=SOME),
    "generate": Case(GPTNeoForCausalLM, UNTIED, inputs=prompt, generate=10),
    "generate_left_padded": Case(
        GPTNeoForCausalLM, UNTIED, inputs=left_padded_prompt, generate=10
    ),
    # Stored dtypes, files and names
    "f16": Case(GPTNeoForCausalLM, GLOBAL, dtype=torch.float16),
    "sharded": Case(GPTNeoForCausalLM, shard="8KB"),
    "of_2021": Case(GPTNeoForCausalLM, edit=of_2021),
    "bool_masks": Case(GPTNeoForCausalLM, edit=with_bool_masks),
    "list_decides": Case(GPTNeoForCausalLM, edit=list_decides),
    "no_prefix": Case(GPTNeoForCausalLM, GLOBAL, edit=without_prefix),
    "no_architectures": Case(GPTNeoForCausalLM, UNTIED | LOCAL, edit=without_architectures),
    # To be refused
    "wrong_mask": Case(GPTNeoForCausalLM, edit=wrong_mask, inputs=None),
    "too_few_types": Case(GPTNeoForCausalLM, edit=too_few_types, inputs=None),
    "unknown_type": Case(GPTNeoForCausalLM, edit=unknown_type, inputs=None),
}


def config(case, seed):
    sizes = SIZES | {"layer_norm_epsilon": 1e-3 if seed % 2 else 1e-5}
    if case.edit is least_config:
        del sizes["layer_norm_epsilon"]
    return GPTNeoConfig(**(sizes | case.config), attn_implementation="eager")


def centre(name):
    norm = ".ln_" in f".{name}" and name.endswith("weight")
    return (1, 0.3) if norm else (0, 0.3)


if __name__ == "__main__":
    fixture.main(fixture.Family("gptneo", config, CASES, centre))
