"""Writes the fixtures of OPT: python Tools/oracle/opt.py [CASE ...]"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from transformers import (
    OPTConfig,
    OPTForCausalLM,
    OPTForQuestionAnswering,
    OPTForSequenceClassification,
    OPTModel,
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

# Three heads of 4.
SIZES = {
    "vocab_size": 31,
    "hidden_size": 12,
    "num_attention_heads": 3,
    "ffn_dim": 14,
    "num_hidden_layers": 2,
    "max_position_embeddings": 16,
    "bos_token_id": 30,
    "eos_token_id": 30,
}


# --- Inputs ----------------------------------------------------------------------------------


def right_padded(random, config):
    """Two rows of 9, of which 9 and 5 are tokens."""
    return with_mask(random, config, np.arange(9) < np.array([[9], [5]]))


def without_mask(random, config):
    return {"input_ids": random.integers(0, config.vocab_size, (2, 9))}


def with_holes(random, config):
    """Padding inside a row does not count as a position."""
    mask = np.ones((2, 9), dtype=np.int64)
    mask[0, 3] = mask[0, 4] = mask[1, 0] = mask[1, 6] = 0
    return with_mask(random, config, mask)


# --- Edits: turn what save_pretrained wrote into what others write ---------------------------


def without_prefix(folder):
    rewrite_weights(
        folder, lambda weights: {k.removeprefix("model."): v for k, v in weights.items()}
    )


def of_2022(folder):
    """As the first published files: no outer prefix, the tied head stored, the keys of that time."""

    def change(config):
        config["torch_dtype"] = config.pop("dtype")
        del config["tie_word_embeddings"], config["enable_bias"]
        del config["layer_norm_elementwise_affine"]
        return config | {"prefix": "</s>", "activation_dropout": 0.0}

    rewrite_config(folder, change)
    without_prefix(folder)
    rewrite_weights(
        folder,
        lambda weights: weights | {"lm_head.weight": weights["decoder.embed_tokens.weight"] + 0},
    )


def without_architectures(folder):
    def change(config):
        del config["architectures"]
        return config

    rewrite_config(folder, change)


def without_defaults(folder):
    """A config that leaves out or leaves open what has a default."""

    def change(config):
        for key in ("do_layer_norm_before", "_remove_final_layer_norm", "activation_function"):
            del config[key]
        return config | {"word_embed_proj_dim": None}

    rewrite_config(folder, change)


# --- Cases -----------------------------------------------------------------------------------


@dataclass
class Case(fixture.Case):
    inputs: Callable | None = right_padded
    keep: tuple = ("logits",)


ONE_LAYER = {"num_hidden_layers": 1}
PROJECTED = {"word_embed_proj_dim": 7}
POST_NORM = {"do_layer_norm_before": False}
NO_BIAS = {"enable_bias": False}
NO_AFFINE = {"layer_norm_elementwise_affine": False}
NO_FINAL_NORM = {"_remove_final_layer_norm": True}
UNTIED = {"tie_word_embeddings": False}
# An end token that does not come up in what is generated.
ENDLESS = {"eos_token_id": 17}

CASES = {
    # Head classes
    "base": Case(OPTModel, keep=()),
    "lm": Case(OPTForCausalLM, keep=()),
    "lm_untied": Case(OPTForCausalLM, ONE_LAYER | UNTIED),
    "sequence_classification": Case(
        OPTForSequenceClassification,
        ONE_LAYER | {"num_labels": 3, "pad_token_id": PAD},
        inputs=padding_tokens,
    ),
    "sequence_classification_no_pad": Case(
        OPTForSequenceClassification,
        ONE_LAYER | PROJECTED | {"pad_token_id": None},
        inputs=one_row,
    ),
    "question_answering": Case(OPTForQuestionAnswering, ONE_LAYER | PROJECTED, keep=()),
    # Norms, projections, biases, activations
    "projected": Case(OPTForCausalLM, PROJECTED, keep=()),
    "post_norm": Case(OPTForCausalLM, POST_NORM | PROJECTED, keep=()),
    "post_norm_base": Case(OPTModel, POST_NORM | PROJECTED, keep=()),
    "post_norm_same_width": Case(OPTForCausalLM, ONE_LAYER | POST_NORM | UNTIED),
    "no_bias": Case(OPTForCausalLM, ONE_LAYER | NO_BIAS),
    "no_affine": Case(OPTForCausalLM, NO_AFFINE),
    "no_affine_no_bias_post_norm": Case(
        OPTForCausalLM, ONE_LAYER | NO_AFFINE | NO_BIAS | POST_NORM
    ),
    "no_final_norm": Case(OPTForCausalLM, NO_FINAL_NORM, keep=()),
    "no_final_norm_post_norm": Case(OPTForCausalLM, ONE_LAYER | NO_FINAL_NORM | POST_NORM),
    "gelu": Case(OPTForCausalLM, ONE_LAYER | {"activation_function": "gelu"}),
    # Inputs
    "no_mask": Case(OPTForCausalLM, ONE_LAYER, inputs=without_mask),
    "left_padding": Case(OPTForCausalLM, ONE_LAYER, inputs=left_padded),
    "left_padding_position_ids": Case(
        OPTForCausalLM, ONE_LAYER, inputs=left_padded_with_positions
    ),
    "holes": Case(OPTForCausalLM, ONE_LAYER, inputs=with_holes),
    "fully_masked_row": Case(OPTForCausalLM, ONE_LAYER, inputs=fully_masked),
    "generate": Case(OPTForCausalLM, ENDLESS, inputs=prompt, generate=10),
    "generate_left_padded": Case(
        OPTForCausalLM,
        ONE_LAYER | POST_NORM | PROJECTED | ENDLESS,
        inputs=left_padded_prompt,
        generate=10,
    ),
    # Stored dtypes, files and names
    "f16": Case(OPTForCausalLM, ONE_LAYER, dtype=torch.float16),
    "sharded": Case(OPTForCausalLM, ONE_LAYER, shard="3KB"),
    "no_prefix": Case(OPTForCausalLM, ONE_LAYER, edit=without_prefix),
    "of_2022": Case(OPTForCausalLM, ONE_LAYER | POST_NORM | PROJECTED, edit=of_2022),
    "no_architectures": Case(OPTForCausalLM, ONE_LAYER, edit=without_architectures),
    "no_defaults": Case(OPTForCausalLM, ONE_LAYER, edit=without_defaults),
}


def config(case, seed):
    return OPTConfig(**(SIZES | case.config), attn_implementation="eager")


def centre(name):
    return (1, 0.3) if "layer_norm" in name and name.endswith("weight") else (0, 0.3)


if __name__ == "__main__":
    fixture.main(fixture.Family("opt", config, CASES, centre))
