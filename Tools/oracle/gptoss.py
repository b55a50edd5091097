"""Writes the fixtures of gpt-oss: python Tools/oracle/gptoss.py [CASE ...]

`mxfp4*` hold the experts' matrices as MXFP4, codes and scales drawn at random: transformers' own
dequantisation (integrations/mxfp4.py) says what they stand for, and the golden is computed from that.
`mxfp4/dequantized` holds those numbers.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from transformers import (
    GptOssForCausalLM,
    GptOssForSequenceClassification,
    GptOssForTokenClassification,
    GptOssModel,
)
from transformers.integrations.mxfp4 import convert_moe_packed_tensors

import fixture
from fixture import rewrite_config
from gpt2 import PAD, fully_masked, left_padded, left_padded_prompt, one_row, padding_tokens, prompt
from llama import far_positions, right_padded, rope, without_architectures

# Two query heads share a key head, and all heads together are wider than the stream. The first layer has a
# window.
SIZES = {
    "vocab_size": 37,
    "hidden_size": 12,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "intermediate_size": 10,
    "num_hidden_layers": 1,
    "max_position_embeddings": 64,
    "sliding_window": 4,
    "bos_token_id": 36,
    "eos_token_id": 36,
    "pad_token_id": None,
    "num_local_experts": 5,
    "num_experts_per_tok": 2,
    "rope_parameters": {
        "rope_type": "yarn",
        "rope_theta": 100.0,
        "factor": 8.0,
        "beta_fast": 32.0,
        "beta_slow": 1.0,
        "truncate": False,
        "original_max_position_embeddings": 8,
    },
}


# --- Adjustments and edits -------------------------------------------------------------------


def driven(model):
    """Gates and their partners far beyond the bound."""
    with torch.no_grad():
        for layer in model.model.layers:
            layer.mlp.experts.gate_up_proj *= 12


def as_mxfp4(model):
    """Random codes and scales in the place of the experts' matrices. Their number is what transformers says;
    codes and scales are kept beside it."""
    random = torch.Generator().manual_seed(4)
    for layer in model.model.layers:
        experts = layer.mlp.experts
        for name in ("gate_up_proj", "down_proj"):
            count, columns, rows = getattr(experts, name).shape
            blocks = torch.randint(
                0, 256, (count, rows, columns // 32, 16), generator=random, dtype=torch.uint8
            )
            scales = torch.randint(
                121, 126, (count, rows, columns // 32), generator=random, dtype=torch.uint8
            )
            numbers = convert_moe_packed_tensors(blocks, scales)
            getattr(experts, name).data.copy_(numbers)
            setattr(experts, name + "_codes", (blocks, scales))
    CODES.clear()
    for number, layer in enumerate(model.model.layers):
        for name in ("gate_up_proj", "down_proj"):
            blocks, scales = getattr(layer.mlp.experts, name + "_codes")
            delattr(layer.mlp.experts, name + "_codes")
            path = f"model.layers.{number}.mlp.experts.{name}"
            CODES[path] = (blocks, scales)


CODES = {}


def with_codes(folder):
    """The files that OpenAI published: codes and scales, in the files of transformers 4."""
    plain = folder / "dequantized"
    plain.mkdir()
    weights = load_file(folder / "model.safetensors")
    (plain / "config.json").write_text((folder / "config.json").read_text())
    save_file(weights, plain / "model.safetensors", metadata={"format": "pt"})
    for path, (blocks, scales) in CODES.items():
        del weights[path]
        weights[path + "_blocks"], weights[path + "_scales"] = blocks, scales
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    of_4(folder)

    def change(config):
        config["quantization_config"] = {
            "modules_to_not_convert": [
                "model.layers.*.self_attn",
                "model.layers.*.mlp.router",
                "model.embed_tokens",
                "lm_head",
            ],
            "quant_method": "mxfp4",
        }
        return config

    rewrite_config(folder, change)


def of_4(folder):
    """The config as it was published."""

    def change(config):
        rotary = config.pop("rope_parameters")
        config["rope_theta"] = rotary.pop("rope_theta")
        config["rope_scaling"] = rotary
        config["initial_context_length"] = 8
        config["experts_per_token"] = config["num_experts_per_tok"]
        config["torch_dtype"] = config.pop("dtype")
        del config["swiglu_alpha"]
        return config

    rewrite_config(folder, change)


def without_rotary(folder):
    """No settings: yarn's, which stand in the config's class."""

    def change(config):
        del config["rope_parameters"]
        return config

    rewrite_config(folder, change)


# --- Cases -----------------------------------------------------------------------------------


@dataclass
class Case(fixture.Case):
    inputs: Callable | None = right_padded
    keep: tuple = ("logits",)
    dtype: torch.dtype = torch.bfloat16


def of_sixty(random, config):
    """One row, beyond every window and the original length."""
    return {"input_ids": random.integers(0, config.vocab_size, (1, 60))}


TWO_LAYERS = {"num_hidden_layers": 2}
SOME = ("logits", "hidden_states.1")
# An end token that does not come up in what is generated.
ENDLESS = {"eos_token_id": 33}
# What a block needs.
BLOCKS = {"hidden_size": 32, "intermediate_size": 32, "num_local_experts": 3}

CASES = {
    "base": Case(GptOssModel, keep=(), dtype=torch.float32),
    "lm": Case(GptOssForCausalLM, TWO_LAYERS, keep=()),
    "lm_tied": Case(GptOssForCausalLM, {"tie_word_embeddings": True}),
    "sequence_classification": Case(
        GptOssForSequenceClassification,
        {"num_labels": 3, "pad_token_id": PAD},
        inputs=padding_tokens,
    ),
    "sequence_classification_no_pad": Case(GptOssForSequenceClassification, inputs=one_row),
    "token_classification": Case(GptOssForTokenClassification, {"num_labels": 5}),
    # Experts
    "driven": Case(GptOssForCausalLM, adjust=driven),
    "other_bounds": Case(
        GptOssForCausalLM, {"swiglu_limit": 1.5, "swiglu_alpha": 0.9}, adjust=driven
    ),
    "square": Case(
        GptOssForCausalLM,
        {"hidden_size": 12, "intermediate_size": 6, "num_experts_per_tok": 3},
    ),
    "square_down": Case(GptOssForCausalLM, {"intermediate_size": 12, "num_experts_per_tok": 1}),
    # Attention
    "no_bias": Case(GptOssForCausalLM, {"attention_bias": False}),
    "layer_types": Case(
        GptOssForCausalLM,
        TWO_LAYERS | {"layer_types": ["full_attention", "sliding_attention"]},
    ),
    "plain_rotary": Case(GptOssForCausalLM, rope("default"), inputs=far_positions),
    "long": Case(
        GptOssForSequenceClassification, TWO_LAYERS | {"sliding_window": 7}, inputs=of_sixty
    ),
    "fully_masked_row": Case(GptOssForCausalLM, TWO_LAYERS, inputs=fully_masked),
    "left_padding": Case(GptOssForCausalLM, inputs=left_padded),
    "generate": Case(GptOssForCausalLM, TWO_LAYERS | ENDLESS, inputs=prompt, generate=10),
    "generate_left_padded": Case(
        GptOssForCausalLM, ENDLESS, inputs=left_padded_prompt, generate=10
    ),
    # Stored dtypes, files and names
    "f16": Case(GptOssForCausalLM, dtype=torch.float16),
    "sharded": Case(GptOssForCausalLM, shard="4KB"),
    "no_architectures": Case(GptOssForCausalLM, edit=without_architectures),
    "of_4": Case(GptOssForCausalLM, edit=of_4),
    "own_rotary": Case(
        GptOssForCausalLM,
        {
            "max_position_embeddings": 131072,
            "rope_parameters": {
                "rope_type": "yarn",
                "rope_theta": 150000.0,
                "factor": 32.0,
                "truncate": False,
                "original_max_position_embeddings": 4096,
            },
        },
        edit=without_rotary,
    ),
    "mxfp4": Case(GptOssForCausalLM, BLOCKS, adjust=as_mxfp4, edit=with_codes, reloads=False),
}


def config(case, seed):
    sizes = SIZES | {"rms_norm_eps": 1e-3 if seed % 2 else 1e-5}
    return case.model.config_class(
        **(sizes | case.config), attn_implementation="eager", experts_implementation="eager"
    )


def centre(name):
    """Routers choose clearly, and sinks take their part."""
    if "norm" in name:
        return (1, 0.3)
    return (0, 0.8) if "router" in name or "sinks" in name else (0, 0.3)


if __name__ == "__main__":
    fixture.main(fixture.Family("gptoss", config, CASES, centre))
