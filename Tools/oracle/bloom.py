"""Writes the fixtures of BLOOM: python Tools/oracle/bloom.py [CASE ...]"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from transformers import (
    BloomConfig,
    BloomForCausalLM,
    BloomForQuestionAnswering,
    BloomForSequenceClassification,
    BloomForTokenClassification,
    BloomModel,
)

import fixture
from fixture import rewrite_config, rewrite_weights
from gpt2 import (
    PAD,
    fully_masked,
    left_padded,
    left_padded_prompt,
    one_row,
    padding_tokens,
    prompt,
    with_mask,
)
from opt import right_padded, with_holes, without_architectures, without_mask

# Five heads of 3: not a power of two.
SIZES = {
    "vocab_size": 31,
    "hidden_size": 15,
    "n_head": 5,
    "n_layer": 2,
    "bos_token_id": 30,
    "eos_token_id": 30,
}


# --- Inputs ----------------------------------------------------------------------------------


def long(random, config):
    """Two rows of 150, of which the second begins with padding."""
    return with_mask(random, config, np.arange(150) >= np.array([[0], [21]]))


# --- Edits: turn what save_pretrained wrote into what others write ---------------------------


def without_prefix(folder):
    rewrite_weights(
        folder, lambda weights: {k.removeprefix("transformer."): v for k, v in weights.items()}
    )


def of_2022(folder):
    """As the published files: no prefix, other names of extents, settings of its training."""

    def change(config):
        config["n_embed"] = config.pop("hidden_size")
        config["num_attention_heads"] = config.pop("n_head")
        config["torch_dtype"] = config.pop("dtype")
        del config["tie_word_embeddings"]
        return config | {
            "attention_softmax_in_fp32": True,
            "bias_dropout_fusion": True,
            "masked_softmax_fusion": True,
            "n_inner": None,
            "offset_alibi": 100,
            "pretraining_tp": 4,
            "seq_length": 2048,
            "skip_bias_add": True,
            "skip_bias_add_qkv": False,
            "slow_but_exact": False,
            "unk_token_id": 0,
        }

    rewrite_config(folder, change)
    without_prefix(folder)


# --- Cases -----------------------------------------------------------------------------------


@dataclass
class Case(fixture.Case):
    inputs: Callable | None = right_padded
    keep: tuple = ("logits",)


ONE_LAYER = {"n_layer": 1}
POST_NORM = {"apply_residual_connection_post_layernorm": True}
UNTIED = {"tie_word_embeddings": False}
# An end token that does not come up in what is generated.
ENDLESS = {"eos_token_id": 27}


def heads(count, size):
    return ONE_LAYER | {"n_head": count, "hidden_size": count * size}


CASES = {
    # Head classes
    "base": Case(BloomModel, keep=()),
    "lm": Case(BloomForCausalLM, keep=()),
    "lm_untied": Case(BloomForCausalLM, ONE_LAYER | UNTIED),
    "sequence_classification": Case(
        BloomForSequenceClassification,
        ONE_LAYER | {"num_labels": 3, "pad_token_id": PAD},
        inputs=padding_tokens,
    ),
    "sequence_classification_no_pad": Case(
        BloomForSequenceClassification, ONE_LAYER | POST_NORM, inputs=one_row
    ),
    "token_classification": Case(BloomForTokenClassification, ONE_LAYER | {"num_labels": 5}),
    "question_answering": Case(BloomForQuestionAnswering, ONE_LAYER, keep=()),
    # Residuals, and how slopes follow from the number of heads
    "post_layernorm": Case(BloomForCausalLM, POST_NORM, keep=()),
    "one_head": Case(BloomForCausalLM, heads(1, 6)),
    "four_heads": Case(BloomForCausalLM, heads(4, 3)),
    "six_heads": Case(BloomForCausalLM, heads(6, 2)),
    "sixteen_heads": Case(BloomForCausalLM, heads(16, 1)),
    "long": Case(BloomForQuestionAnswering, heads(3, 4), inputs=long, keep=("end_logits",)),
    "exact_in_one": Case(
        BloomForCausalLM, ONE_LAYER | {"slow_but_exact": True, "pretraining_tp": 1}
    ),
    # Inputs
    "no_mask": Case(BloomForCausalLM, ONE_LAYER, inputs=without_mask),
    "left_padding": Case(BloomForCausalLM, inputs=left_padded),
    "holes": Case(BloomForCausalLM, ONE_LAYER, inputs=with_holes),
    "fully_masked_row": Case(BloomForCausalLM, ONE_LAYER, inputs=fully_masked),
    "generate": Case(BloomForCausalLM, ENDLESS, inputs=prompt, generate=10),
    "generate_left_padded": Case(
        BloomForCausalLM,
        ONE_LAYER | POST_NORM | ENDLESS,
        inputs=left_padded_prompt,
        generate=10,
    ),
    # Stored dtypes, files and names
    "bf16": Case(BloomForCausalLM, ONE_LAYER, dtype=torch.bfloat16),
    "sharded": Case(BloomForCausalLM, ONE_LAYER, shard="8KB"),
    "no_prefix": Case(BloomForCausalLM, ONE_LAYER, edit=without_prefix),
    "of_2022": Case(BloomForCausalLM, ONE_LAYER, edit=of_2022),
    "no_architectures": Case(BloomForCausalLM, ONE_LAYER, edit=without_architectures),
    # To be refused: summed slice by slice, outputs lack their biases
    "slices": Case(
        BloomForCausalLM, ONE_LAYER | {"slow_but_exact": True, "pretraining_tp": 3}, inputs=None
    ),
}


def config(case, seed):
    sizes = SIZES | {"layer_norm_epsilon": 1e-3 if seed % 2 else 1e-5}
    return BloomConfig(**(sizes | case.config), attn_implementation="eager")


def centre(name):
    norm = ("layernorm" in name or "ln_f" in name) and name.endswith("weight")
    return (1, 0.3) if norm else (0, 0.3)


if __name__ == "__main__":
    fixture.main(fixture.Family("bloom", config, CASES, centre))
