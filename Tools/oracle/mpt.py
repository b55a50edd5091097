"""Writes the fixtures of MPT: python Tools/oracle/mpt.py [CASE ...]"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from transformers import (
    MptConfig,
    MptForCausalLM,
    MptForQuestionAnswering,
    MptForSequenceClassification,
    MptForTokenClassification,
    MptModel,
)

import fixture
from bloom import long, without_prefix
from fixture import rewrite_config
from gpt2 import (
    PAD,
    fully_masked,
    left_padded,
    left_padded_prompt,
    one_row,
    padding_tokens,
    prompt,
)
from opt import right_padded, with_holes, without_architectures, without_mask

# Five heads of 3: not a power of two.
SIZES = {
    "vocab_size": 31,
    "d_model": 15,
    "n_heads": 5,
    "n_layers": 2,
    "max_seq_len": 32,
    "bos_token_id": 30,
    "eos_token_id": 30,
}


# --- Inputs ----------------------------------------------------------------------------------


def every_position(random, config):
    """As long as the model's texts can be."""
    return {"input_ids": random.integers(0, config.vocab_size, (1, config.max_seq_len))}


# --- Edits: turn what save_pretrained wrote into what others write ---------------------------


def of_2023(folder):
    """The config as the published files have it, another spelling of the class included."""

    def change(config):
        config["torch_dtype"] = config.pop("dtype")
        del config["tie_word_embeddings"], config["layer_norm_epsilon"]
        for key in [key for key in config if key.endswith("_token_id")]:
            del config[key]
        attention = {
            key: config["attn_config"][key]
            for key in ("alibi", "alibi_bias_max", "attn_impl", "attn_pdrop", "attn_type")
        }
        attention |= {"attn_uses_sequence_id": False, "clip_qkv": None, "prefix_lm": False}
        attention |= {"qk_ln": False, "softmax_scale": None}
        return config | {
            "architectures": ["MPTForCausalLM"],
            "attn_config": attention,
            "auto_map": {"AutoConfig": "configuration_mpt.MPTConfig"},
            "init_config": {"name": "kaiming_normal_", "verbose": 0},
            "init_device": "cpu",
            "tokenizer_name": "EleutherAI/gpt-neox-20b",
            "verbose": 0,
        }

    rewrite_config(folder, change)


def without_attention_config(folder):
    def change(config):
        return config | {"attn_config": None}

    rewrite_config(folder, change)


# --- Cases -----------------------------------------------------------------------------------


@dataclass
class Case(fixture.Case):
    inputs: Callable | None = right_padded
    keep: tuple = ("logits",)


ONE_LAYER = {"n_layers": 1}
UNTIED = {"tie_word_embeddings": False}
# An end token that does not come up in what is generated.
ENDLESS = {"eos_token_id": 27}


def heads(count, size):
    return ONE_LAYER | {"n_heads": count, "d_model": count * size}


def attention(**settings):
    return {"attn_config": settings}


CASES = {
    # Head classes
    "base": Case(MptModel, keep=()),
    "lm": Case(MptForCausalLM, keep=()),
    "lm_untied": Case(MptForCausalLM, ONE_LAYER | UNTIED),
    "sequence_classification": Case(
        MptForSequenceClassification,
        ONE_LAYER | {"num_labels": 3, "pad_token_id": PAD},
        inputs=padding_tokens,
    ),
    "sequence_classification_no_pad": Case(MptForSequenceClassification, ONE_LAYER, inputs=one_row),
    "token_classification": Case(MptForTokenClassification, ONE_LAYER | {"num_labels": 5}),
    "question_answering": Case(MptForQuestionAnswering, ONE_LAYER, keep=()),
    # How slopes follow from the number of heads
    "one_head": Case(MptForCausalLM, heads(1, 6)),
    "four_heads": Case(MptForCausalLM, heads(4, 3)),
    "six_heads": Case(MptForCausalLM, heads(6, 2)),
    "long": Case(
        MptForQuestionAnswering,
        heads(3, 4) | {"max_seq_len": 200},
        inputs=long,
        keep=("end_logits",),
    ),
    "every_position": Case(
        MptForQuestionAnswering, ONE_LAYER, inputs=every_position, keep=("start_logits",)
    ),
    # Attention
    "clip_qkv": Case(MptForCausalLM, attention(clip_qkv=0.75), keep=()),
    "clip_qkv_zero": Case(MptForCausalLM, ONE_LAYER | attention(clip_qkv=0.0)),
    "softmax_scale": Case(MptForCausalLM, ONE_LAYER | attention(softmax_scale=0.3)),
    # What transformers does not compute, whatever the config says
    "without_effect": Case(
        MptForCausalLM,
        ONE_LAYER
        | {"expansion_ratio": 2, "logit_scale": 0.5, "no_bias": False, "embedding_fraction": 0.5}
        | attention(alibi_bias_max=16, qk_ln=True, prefix_lm=True, attn_uses_sequence_id=True),
    ),
    # Inputs
    "no_mask": Case(MptForCausalLM, ONE_LAYER, inputs=without_mask),
    "left_padding": Case(MptForCausalLM, ONE_LAYER, inputs=left_padded),
    "holes": Case(MptForCausalLM, ONE_LAYER, inputs=with_holes),
    "fully_masked_row": Case(MptForCausalLM, ONE_LAYER, inputs=fully_masked),
    "generate": Case(MptForCausalLM, ENDLESS, inputs=prompt, generate=10),
    "generate_left_padded": Case(
        MptForCausalLM,
        ONE_LAYER | ENDLESS | attention(clip_qkv=1.0),
        inputs=left_padded_prompt,
        generate=10,
    ),
    # Stored dtypes, files and names
    "bf16": Case(MptForCausalLM, ONE_LAYER, dtype=torch.bfloat16),
    "sharded": Case(MptForCausalLM, ONE_LAYER, shard="4KB"),
    "no_prefix": Case(MptForCausalLM, ONE_LAYER, edit=without_prefix),
    "of_2023": Case(MptForCausalLM, ONE_LAYER, edit=of_2023),
    "no_attention_config": Case(MptForCausalLM, ONE_LAYER, edit=without_attention_config),
    "no_architectures": Case(MptForCausalLM, ONE_LAYER, edit=without_architectures),
}


def config(case, seed):
    sizes = SIZES | {"layer_norm_epsilon": 1e-3 if seed % 2 and not case.edit else 1e-5}
    return MptConfig(**(sizes | case.config), attn_implementation="eager")


def centre(name):
    return (1, 0.3) if "norm_" in name else (0, 0.3)


if __name__ == "__main__":
    fixture.main(fixture.Family("mpt", config, CASES, centre))
