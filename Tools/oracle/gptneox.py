"""Writes the fixtures of GPT-NeoX: python Tools/oracle/gptneox.py [CASE ...]"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from transformers import (
    GPTNeoXConfig,
    GPTNeoXForCausalLM,
    GPTNeoXForQuestionAnswering,
    GPTNeoXForSequenceClassification,
    GPTNeoXForTokenClassification,
    GPTNeoXModel,
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

# Three heads of 8, of which 2 numbers are turned.
SIZES = {
    "vocab_size": 37,
    "hidden_size": 24,
    "num_attention_heads": 3,
    "intermediate_size": 20,
    "num_hidden_layers": 2,
    "max_position_embeddings": 32,
    "bos_token_id": 36,
    "eos_token_id": 36,
}


# --- Inputs ----------------------------------------------------------------------------------


def right_padded(random, config):
    """Two rows of 9, of which 9 and 5 are tokens."""
    return with_mask(random, config, np.arange(9) < np.array([[9], [5]]))


def far_positions(random, config):
    """Rows that begin in the middle of a text."""
    inputs = right_padded(random, config)
    return inputs | {"position_ids": np.arange(9) + np.array([[5], [11]])}


# --- Edits: turn what save_pretrained wrote into what others write ---------------------------


def old_config(folder, late=False):
    """Rotary settings as transformers 4 spelled them; late versions wrote them twice."""

    def change(config):
        rotary = config.pop("rope_parameters")
        config["rotary_emb_base"] = rotary.pop("rope_theta")
        config["rotary_pct"] = rotary.pop("partial_rotary_factor")
        kind = rotary.pop("rope_type")
        config["rope_scaling"] = None if kind == "default" else {"type": kind} | rotary
        config["torch_dtype"] = config.pop("dtype")
        if late:
            config["rope_theta"] = config["rotary_emb_base"]
            config["partial_rotary_factor"] = config["rotary_pct"]
        return config

    rewrite_config(folder, change)


def of_2024(folder):
    old_config(folder, late=True)


def with_buffers(folder, mask, dtype, wrong=False):
    """The mask, the number that it masked with, and the frequencies, which every layer once stored."""

    def change(weights):
        for name in [name for name in weights if name.endswith("attention.dense.weight")]:
            attention = name.removesuffix("dense.weight")
            positions = SIZES["max_position_embeddings"]
            triangle = torch.ones(1, 1, positions, positions).tril()
            frequencies = 1.0 / (10000 ** (torch.arange(0, 4, 2).float() / 4))
            if wrong:
                frequencies = frequencies * 1.01
            weights[f"{attention}bias"] = triangle.to(mask)
            weights[f"{attention}masked_bias"] = torch.tensor(-1e9).to(dtype)
            weights[f"{attention}rotary_emb.inv_freq"] = frequencies.to(dtype)
        return weights

    rewrite_weights(folder, change)


def of_2022(folder):
    old_config(folder)
    with_buffers(folder, torch.uint8, torch.float32)


def of_2023(folder):
    old_config(folder)
    with_buffers(folder, torch.bool, torch.float16)


def wrong_frequencies(folder):
    with_buffers(folder, torch.uint8, torch.float32, wrong=True)


def with_new_head_name(folder):
    """The head under the name of its module."""

    def change(weights):
        weights["lm_head.weight"] = weights.pop("embed_out.weight")
        return weights

    rewrite_weights(folder, change)


def without_prefix(folder):
    rewrite_weights(
        folder, lambda weights: {k.removeprefix("gpt_neox."): v for k, v in weights.items()}
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


def rope(fraction, kind="default", theta=100.0, **more):
    settings = {"rope_type": kind, "rope_theta": theta, "partial_rotary_factor": fraction}
    return {"rope_parameters": settings | more}


ONE_LAYER = {"num_hidden_layers": 1}
SERIAL = {"use_parallel_residual": False}
TIED = {"tie_word_embeddings": True}
NO_BIAS = {"attention_bias": False}
HALF = rope(0.5, theta=10000.0)
SOME = ("logits", "hidden_states.1")
# An end token that does not come up in what is generated.
ENDLESS = {"eos_token_id": 33}

CASES = {
    # Head classes
    "base": Case(GPTNeoXModel, keep=()),
    "lm": Case(GPTNeoXForCausalLM, keep=()),
    "lm_tied": Case(GPTNeoXForCausalLM, ONE_LAYER | TIED),
    "sequence_classification": Case(
        GPTNeoXForSequenceClassification,
        ONE_LAYER | {"num_labels": 3, "pad_token_id": PAD},
        inputs=padding_tokens,
    ),
    "sequence_classification_no_pad": Case(
        GPTNeoXForSequenceClassification, ONE_LAYER | SERIAL, inputs=one_row
    ),
    "token_classification": Case(GPTNeoXForTokenClassification, ONE_LAYER | {"num_labels": 5}),
    "question_answering": Case(GPTNeoXForQuestionAnswering, ONE_LAYER, keep=()),
    # Residuals, biases, activations
    "serial": Case(GPTNeoXForCausalLM, SERIAL | {"hidden_act": "gelu_new"}, keep=()),
    "no_attention_bias": Case(GPTNeoXForCausalLM, NO_BIAS, keep=SOME),
    "serial_no_attention_bias": Case(
        GPTNeoXForCausalLM, SERIAL | NO_BIAS | TIED | {"hidden_act": "gelu_fast"}, keep=SOME
    ),
    "quick_gelu": Case(GPTNeoXForCausalLM, ONE_LAYER | {"hidden_act": "quick_gelu"}),
    # Rotary positions: all of a head, half of it, an odd count of numbers, scaled
    "whole_heads": Case(GPTNeoXForCausalLM, rope(1.0), inputs=far_positions, keep=SOME),
    "odd_part": Case(GPTNeoXForCausalLM, ONE_LAYER | rope(0.4, theta=77.5), inputs=far_positions),
    "linear": Case(
        GPTNeoXForCausalLM,
        ONE_LAYER | rope(0.5, "linear", factor=2.5),
        inputs=far_positions,
        edit=old_config,
    ),
    "dynamic": Case(
        GPTNeoXForCausalLM,
        ONE_LAYER | {"max_position_embeddings": 6} | rope(0.5, "dynamic", factor=2.0),
    ),
    "yarn": Case(
        GPTNeoXForCausalLM,
        ONE_LAYER | rope(1.0, "yarn", factor=4.0, original_max_position_embeddings=8),
        inputs=far_positions,
    ),
    # Inputs
    "left_padding": Case(GPTNeoXForCausalLM, ONE_LAYER, inputs=left_padded),
    "left_padding_position_ids": Case(
        GPTNeoXForCausalLM, ONE_LAYER | rope(1.0), inputs=left_padded_with_positions
    ),
    "fully_masked_row": Case(GPTNeoXForCausalLM, ONE_LAYER, inputs=fully_masked),
    "generate": Case(GPTNeoXForCausalLM, HALF | ENDLESS, inputs=prompt, generate=10),
    "generate_left_padded": Case(
        GPTNeoXForCausalLM,
        ONE_LAYER | SERIAL | ENDLESS | rope(1.0),
        inputs=left_padded_prompt,
        generate=10,
    ),
    # Stored dtypes, files and names
    "bf16": Case(GPTNeoXForCausalLM, ONE_LAYER, dtype=torch.bfloat16),
    "sharded": Case(GPTNeoXForCausalLM, shard="8KB"),
    "of_2022": Case(GPTNeoXForCausalLM, HALF, edit=of_2022),
    "of_2023": Case(GPTNeoXForCausalLM, ONE_LAYER | HALF, dtype=torch.float16, edit=of_2023),
    "of_2024": Case(GPTNeoXForCausalLM, ONE_LAYER | rope(1.0), edit=of_2024),
    "new_head_name": Case(GPTNeoXForCausalLM, ONE_LAYER, edit=with_new_head_name),
    "no_prefix": Case(GPTNeoXForCausalLM, ONE_LAYER, edit=without_prefix),
    "no_architectures": Case(GPTNeoXForCausalLM, ONE_LAYER, edit=without_architectures),
    # To be refused
    "wrong_frequencies": Case(
        GPTNeoXForCausalLM, ONE_LAYER | HALF, edit=wrong_frequencies, inputs=None
    ),
}


def config(case, seed):
    sizes = SIZES | {"layer_norm_eps": 1e-3 if seed % 2 else 1e-5}
    return GPTNeoXConfig(**(sizes | case.config), attn_implementation="eager")


def centre(name):
    return (1, 0.3) if "norm" in name and name.endswith("weight") else (0, 0.3)


if __name__ == "__main__":
    fixture.main(fixture.Family("gptneox", config, CASES, centre))
