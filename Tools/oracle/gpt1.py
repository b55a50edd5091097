"""Writes the fixtures of GPT-1: python Tools/oracle/gpt1.py [CASE ...]"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from transformers import (
    OpenAIGPTConfig,
    OpenAIGPTDoubleHeadsModel,
    OpenAIGPTForSequenceClassification,
    OpenAIGPTLMHeadModel,
    OpenAIGPTModel,
)

import fixture
from fixture import rewrite_config, rewrite_weights
from gpt2 import (
    PAD,
    choices,
    choices_without_tokens,
    fully_masked,
    left_padded,
    left_padded_prompt,
    left_padded_with_positions,
    one_row,
    padding_tokens,
    prompt,
)
from gptj import every_position, typed, without_architectures, without_prefix
from llama import right_padded

SIZES = {
    "vocab_size": 37,
    "n_embd": 12,
    "n_head": 3,
    "n_layer": 1,
    "n_positions": 24,
}


# --- Inputs ----------------------------------------------------------------------------------


def unmasked_choices(random, config):
    """The class takes no mask for choices."""
    inputs = choices(random, config)
    del inputs["attention_mask"]
    return inputs


# --- Edits: turn what save_pretrained wrote into what others write ---------------------------


def with_masks(folder, wrong=False):
    """The causal mask, which every layer once stored."""

    def change(weights):
        for name in [name for name in weights if name.endswith("attn.c_attn.weight")]:
            positions = SIZES["n_positions"]
            triangle = torch.ones(1, 1, positions, positions).tril()
            if wrong:
                triangle[0, 0, 3, 4] = 1
            weights[name.replace("c_attn.weight", "bias")] = triangle
        return weights

    rewrite_weights(folder, change)


def of_2018(folder):
    """As the first file: no prefix, masks, and a config of those days."""
    without_prefix(folder)
    with_masks(folder)

    def change(config):
        old = {"n_ctx": config["n_positions"], "n_special": 0, "predict_special_tokens": True}
        for key in ("dtype", "tie_word_embeddings", "transformers_version"):
            del config[key]
        return config | old

    rewrite_config(folder, change)


def of_2021(folder):
    """With a tied head that is stored."""
    with_masks(folder)
    rewrite_weights(
        folder,
        lambda weights: weights | {"lm_head.weight": weights["transformer.tokens_embed.weight"] + 0},
    )


def wrong_mask(folder):
    with_masks(folder, wrong=True)


def least_config(folder):
    """What defaults say is left out."""

    def change(config):
        kept = {"architectures", "model_type", *SIZES}
        return {key: value for key, value in config.items() if key in kept}

    rewrite_config(folder, change)


def unknown_activation(folder):
    """One that other models know."""
    rewrite_config(folder, lambda config: config | {"afn": "gelu_new"})


# --- Cases -----------------------------------------------------------------------------------


@dataclass
class Case(fixture.Case):
    inputs: Callable | None = right_padded
    keep: tuple = ("logits",)
    dtype: torch.dtype = torch.bfloat16


TWO_LAYERS = {"n_layer": 2}
SOME = ("logits", "hidden_states.1")
DOUBLE = ("logits", "mc_logits")
UNTIED = {"tie_word_embeddings": False}
# An end token that does not come up in what is generated.
ENDLESS = {"eos_token_id": 36}

CASES = {
    # Head classes
    "base": Case(OpenAIGPTModel, TWO_LAYERS, keep=(), dtype=torch.float32),
    "lm": Case(OpenAIGPTLMHeadModel, TWO_LAYERS, keep=()),
    "lm_untied": Case(OpenAIGPTLMHeadModel, UNTIED),
    "double_heads": Case(OpenAIGPTDoubleHeadsModel, TWO_LAYERS, inputs=unmasked_choices, keep=DOUBLE),
    "double_heads_untied": Case(
        OpenAIGPTDoubleHeadsModel, UNTIED, inputs=unmasked_choices, keep=DOUBLE
    ),
    "double_heads_last_token": Case(
        OpenAIGPTDoubleHeadsModel,
        {"summary_activation": "tanh"},
        inputs=choices_without_tokens,
        keep=("mc_logits",),
    ),
    "sequence_classification": Case(
        OpenAIGPTForSequenceClassification,
        {"num_labels": 3, "pad_token_id": PAD},
        inputs=padding_tokens,
    ),
    "sequence_classification_no_pad": Case(OpenAIGPTForSequenceClassification, inputs=one_row),
    # Activations
    "least_config": Case(OpenAIGPTLMHeadModel, edit=least_config),
    "relu": Case(OpenAIGPTLMHeadModel, TWO_LAYERS | {"afn": "relu"}, keep=SOME),
    "silu": Case(OpenAIGPTLMHeadModel, {"afn": "silu"}),
    "swish": Case(OpenAIGPTLMHeadModel, {"afn": "swish", "n_head": 2}),
    # Inputs
    "every_position": Case(OpenAIGPTLMHeadModel, inputs=every_position),
    "token_types": Case(OpenAIGPTLMHeadModel, inputs=typed),
    "left_padding": Case(OpenAIGPTLMHeadModel, TWO_LAYERS, inputs=left_padded, keep=SOME),
    "left_padding_position_ids": Case(OpenAIGPTLMHeadModel, inputs=left_padded_with_positions),
    "fully_masked_row": Case(OpenAIGPTLMHeadModel, TWO_LAYERS, inputs=fully_masked, keep=SOME),
    "generate": Case(
        OpenAIGPTLMHeadModel, TWO_LAYERS | ENDLESS | UNTIED, inputs=prompt, generate=10
    ),
    "generate_left_padded": Case(
        OpenAIGPTLMHeadModel, ENDLESS | UNTIED, inputs=left_padded_prompt, generate=10
    ),
    # Stored dtypes, files and names
    "f16": Case(OpenAIGPTLMHeadModel, dtype=torch.float16),
    "sharded": Case(OpenAIGPTLMHeadModel, TWO_LAYERS, shard="8KB"),
    "of_2018": Case(OpenAIGPTLMHeadModel, TWO_LAYERS, edit=of_2018, dtype=torch.float32),
    "of_2021": Case(OpenAIGPTLMHeadModel, edit=of_2021),
    "no_architectures": Case(OpenAIGPTLMHeadModel, UNTIED, edit=without_architectures),
    # To be refused
    "wrong_mask": Case(OpenAIGPTLMHeadModel, edit=wrong_mask, inputs=None),
    "unknown_activation": Case(OpenAIGPTLMHeadModel, edit=unknown_activation, inputs=None),
}


def config(case, seed):
    epsilon = {"layer_norm_epsilon": 1e-3 if seed % 2 else 1e-5}
    if case.edit is least_config:
        epsilon = {}
    return OpenAIGPTConfig(**(SIZES | epsilon | case.config), attn_implementation="eager")


def centre(name):
    norm = ".ln_" in f".{name}" and name.endswith("weight")
    return (1, 0.3) if norm else (0, 0.3)


if __name__ == "__main__":
    fixture.main(fixture.Family("gpt1", config, CASES, centre))
