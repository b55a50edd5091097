"""Writes the fixtures of Falcon: python Tools/oracle/falcon.py [CASE ...]

With ALiBi, attention is transformers' default one: its eager one adds ALiBi twice (see Tools/golden).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from transformers import (
    FalconConfig,
    FalconForCausalLM,
    FalconForQuestionAnswering,
    FalconForSequenceClassification,
    FalconForTokenClassification,
    FalconModel,
)

import fixture
from bloom import without_prefix
from exact import exact_outputs, golden, write_golden
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
from gptneox import far_positions
from opt import right_padded, with_holes, without_architectures, without_mask

# Three heads of 4.
SIZES = {
    "vocab_size": 31,
    "hidden_size": 12,
    "num_attention_heads": 3,
    "num_hidden_layers": 2,
    "ffn_hidden_size": 20,
    "max_position_embeddings": 32,
    "bos_token_id": 30,
    "eos_token_id": 30,
}


# --- Inputs ----------------------------------------------------------------------------------


def far(random, config):
    """Two rows of 300: positions beyond 256 are rounded in bfloat16."""
    return with_mask(random, config, np.arange(300) >= np.array([[0], [21]]))


# --- Edits: turn what save_pretrained wrote into what others write ---------------------------


def of_2023(folder):
    """As the first published files: rotary positions had no settings, and the tied head was stored."""

    def change(config):
        del config["rope_parameters"], config["tie_word_embeddings"]
        for key in ("ffn_hidden_size", "activation", "max_position_embeddings"):
            del config[key]
        config.pop("num_ln_in_parallel_attn", None)
        config["torch_dtype"] = config.pop("dtype")
        return config | {"apply_residual_connection_post_layernorm": False}

    rewrite_config(folder, change)
    rewrite_weights(
        folder,
        lambda weights: weights | {"lm_head.weight": weights["transformer.word_embeddings.weight"] + 0},
    )


def of_2024(folder):
    """Rotary settings as transformers 4 spelled them."""

    def change(config):
        rotary = config.pop("rope_parameters")
        config["rope_theta"] = rotary.pop("rope_theta")
        kind = rotary.pop("rope_type")
        config["rope_scaling"] = None if kind == "default" else {"type": kind} | rotary
        config["torch_dtype"] = config.pop("dtype")
        return config | {"ff_factor": 4}

    rewrite_config(folder, change)


def by_eager_attention(folder):
    """Another golden of the same model, by the attention that adds ALiBi twice."""
    config = FalconConfig.from_pretrained(folder)
    config._attn_implementation = "eager"
    model = FalconForCausalLM.from_pretrained(folder, config=config, attn_implementation="eager")
    model = model.double().eval()
    inputs = left_padded(np.random.default_rng(0), config)
    outputs = exact_outputs(model, inputs)
    write_golden(folder / "golden-eager.npz", model, inputs, {"logits": outputs["logits"]})


# --- Cases -----------------------------------------------------------------------------------


@dataclass
class Case(fixture.Case):
    inputs: Callable | None = right_padded
    keep: tuple = ("logits",)


def rope(kind="default", theta=100.0, **more):
    return {"rope_parameters": {"rope_type": kind, "rope_theta": theta} | more}


ONE_LAYER = {"num_hidden_layers": 1}
BIAS = {"bias": True}
UNTIED = {"tie_word_embeddings": False}
FOUR_HEADS = {"num_attention_heads": 4, "hidden_size": 16}
# The published models: 40B, 11B and RW; 7B is the default.
NEW = FOUR_HEADS | {"new_decoder_architecture": True, "num_kv_heads": 2}
ONE_NORM = NEW | {"num_ln_in_parallel_attn": 1}
RW = {"alibi": True, "multi_query": False, "parallel_attn": False, "bias": True}
# An end token that does not come up in what is generated.
ENDLESS = {"eos_token_id": 17}

CASES = {
    # Head classes
    "base": Case(FalconModel, keep=()),
    "lm": Case(FalconForCausalLM, keep=()),
    "lm_untied": Case(FalconForCausalLM, ONE_LAYER | UNTIED),
    "sequence_classification": Case(
        FalconForSequenceClassification,
        ONE_LAYER | {"num_labels": 3, "pad_token_id": PAD},
        inputs=padding_tokens,
    ),
    "sequence_classification_no_pad": Case(
        FalconForSequenceClassification, ONE_LAYER | RW, inputs=one_row
    ),
    "token_classification": Case(FalconForTokenClassification, ONE_LAYER | {"num_labels": 5}),
    "question_answering": Case(FalconForQuestionAnswering, ONE_LAYER | NEW, keep=()),
    # Blocks
    "new": Case(FalconForCausalLM, NEW, keep=()),
    "new_one_norm": Case(FalconForCausalLM, ONE_NORM, keep=()),
    "new_all_heads": Case(
        FalconForCausalLM, ONE_LAYER | {"new_decoder_architecture": True} | BIAS
    ),
    "new_one_key_head": Case(FalconForCausalLM, ONE_LAYER | NEW | {"num_kv_heads": 1}),
    "serial": Case(FalconForCausalLM, {"parallel_attn": False}, keep=()),
    "multi_head": Case(FalconForCausalLM, ONE_LAYER | {"multi_query": False}),
    "multi_head_serial": Case(
        FalconForCausalLM,
        ONE_LAYER | BIAS | {"multi_query": False, "parallel_attn": False},
    ),
    "bias": Case(FalconForCausalLM, ONE_LAYER | BIAS | {"activation": "relu"}),
    "default_width": Case(FalconForTokenClassification, ONE_LAYER | {"ffn_hidden_size": None}),
    # ALiBi
    "rw": Case(FalconForCausalLM, RW, keep=()),
    "alibi": Case(FalconForCausalLM, ONE_LAYER | {"alibi": True}, edit=by_eager_attention),
    "alibi_new": Case(FalconForCausalLM, ONE_LAYER | NEW | {"alibi": True}),
    "alibi_far": Case(
        FalconForQuestionAnswering, ONE_LAYER | RW, inputs=far, keep=("start_logits",)
    ),
    # Rotary positions
    "far_positions": Case(FalconForCausalLM, ONE_LAYER | rope(theta=77.5), inputs=far_positions),
    "linear": Case(
        FalconForCausalLM,
        ONE_LAYER | rope("linear", factor=2.5),
        inputs=far_positions,
        edit=of_2024,
    ),
    "dynamic": Case(
        FalconForCausalLM, ONE_LAYER | {"max_position_embeddings": 6} | rope("dynamic", factor=2.0)
    ),
    "yarn": Case(
        FalconForCausalLM,
        ONE_LAYER | NEW | rope("yarn", factor=4.0, original_max_position_embeddings=8),
        inputs=far_positions,
    ),
    # Inputs
    "no_mask": Case(FalconForCausalLM, ONE_LAYER | RW, inputs=without_mask),
    "left_padding": Case(FalconForCausalLM, ONE_LAYER, inputs=left_padded),
    "left_padding_position_ids": Case(
        FalconForCausalLM, ONE_LAYER | NEW, inputs=left_padded_with_positions
    ),
    "left_padding_alibi": Case(FalconForCausalLM, ONE_LAYER | RW, inputs=left_padded),
    "holes": Case(FalconForCausalLM, ONE_LAYER | RW, inputs=with_holes),
    "fully_masked_row": Case(FalconForCausalLM, ONE_LAYER, inputs=fully_masked),
    "fully_masked_row_alibi": Case(FalconForCausalLM, ONE_LAYER | RW, inputs=fully_masked),
    "generate": Case(FalconForCausalLM, ENDLESS, inputs=prompt, generate=10),
    "generate_left_padded": Case(
        FalconForCausalLM, ONE_LAYER | NEW | ENDLESS, inputs=left_padded_prompt, generate=10
    ),
    "generate_alibi": Case(
        FalconForCausalLM, ONE_LAYER | RW | ENDLESS, inputs=left_padded_prompt, generate=10
    ),
    # Stored dtypes, files and names
    "bf16": Case(FalconForCausalLM, ONE_LAYER | RW, dtype=torch.bfloat16),
    "sharded": Case(FalconForCausalLM, ONE_LAYER | NEW, shard="4KB"),
    "no_prefix": Case(FalconForCausalLM, ONE_LAYER, edit=without_prefix),
    "of_2023": Case(FalconForCausalLM, ONE_LAYER | {"ffn_hidden_size": None}, edit=of_2023),
    "of_2023_new": Case(FalconForCausalLM, ONE_LAYER | NEW | {"ffn_hidden_size": None}, edit=of_2023),
    "of_2024": Case(FalconForCausalLM, ONE_LAYER | ONE_NORM | rope(), edit=of_2024),
    "no_architectures": Case(FalconForCausalLM, ONE_LAYER, edit=without_architectures),
    # To be refused: transformers builds them and cannot run them
    "two_norms_of_old": Case(
        FalconForCausalLM, ONE_LAYER | {"num_ln_in_parallel_attn": 2}, inputs=None
    ),
    "new_serial": Case(FalconForCausalLM, ONE_LAYER | NEW | {"parallel_attn": False}, inputs=None),
    "key_heads_of_old": Case(
        FalconForCausalLM, ONE_LAYER | FOUR_HEADS | {"multi_query": False, "num_kv_heads": 2},
        inputs=None,
    ),
}


def config(case, seed):
    sizes = SIZES | {"layer_norm_epsilon": 1e-3 if seed % 2 else 1e-5}
    config = FalconConfig(**(sizes | case.config))
    config._attn_implementation = golden.attention(config)
    return config


def centre(name):
    norm = "layernorm" in name or "ln_" in name
    return (1, 0.3) if norm and name.endswith("weight") else (0, 0.3)


if __name__ == "__main__":
    fixture.main(fixture.Family("falcon", config, CASES, centre))
