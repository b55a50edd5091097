"""Writes the fixtures of Moonshine: python Tools/oracle/moonshine.py [CASE ...]"""

import numpy as np
import torch
from transformers import MoonshineConfig, MoonshineForConditionalGeneration, MoonshineModel

import fixture
from fixture import Case, rewrite_config
from stablelm import without_architectures

SIZES = {
    "vocab_size": 41,
    "hidden_size": 8,
    "intermediate_size": 10,
    "encoder_num_hidden_layers": 2,
    "decoder_num_hidden_layers": 1,
    "encoder_num_attention_heads": 2,
    "decoder_num_attention_heads": 2,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "decoder_start_token_id": 4,
}
ONE_LAYER = {"encoder_num_hidden_layers": 1}
HEADS = {"encoder_num_attention_heads": 1, "decoder_num_attention_heads": 1}


# --- Inputs ----------------------------------------------------------------------------------


def spoken(samples, length, count=2):
    """Samples that single precision holds, and the beginning of a text for each."""

    def inputs(random, config):
        ids = random.integers(5, config.vocab_size, (count, length))
        ids[:, 0] = config.decoder_start_token_id
        values = random.integers(-256, 256, (count, samples)) / 256
        return {"input_values": values, "decoder_input_ids": ids}

    return inputs


def padded(random, config):
    """Sounds of several lengths, filled up with zeros, and masked rows of the decoder's text."""
    found = spoken(1300, 6)(random, config)
    mask = np.ones((2, 1300), dtype=np.int64)
    mask[1, 300:] = 0
    decoder = np.ones((2, 6), dtype=np.int64)
    decoder[1, :2] = 0
    return found | {
        "input_values": found["input_values"] * mask,
        "attention_mask": mask,
        "decoder_attention_mask": decoder,
    }


# --- Edits: turn what save_pretrained wrote into what others write ---------------------------


def of_4(folder):
    """Keys of transformers 4, with the base and the fraction beside the settings."""

    def change(config):
        del config["rope_parameters"]
        more = {"rope_theta": 10000.0, "partial_rotary_factor": 0.5, "rope_scaling": None}
        return config | more | {"is_encoder_decoder": True, "pad_head_dim_to_multiple_of": 8}

    rewrite_config(folder, change)


def untied(model):
    with torch.no_grad():
        noise = torch.randn(model.proj_out.weight.shape, generator=torch.Generator().manual_seed(7))
        model.proj_out.weight = torch.nn.Parameter(0.3 * noise)


CASES = {
    "base": Case(MoonshineModel, inputs=spoken(1700, 7)),
    "generation": Case(MoonshineForConditionalGeneration, inputs=spoken(1300, 5)),
    "padded": Case(MoonshineForConditionalGeneration, ONE_LAYER, inputs=padded),
    "biases": Case(
        MoonshineForConditionalGeneration,
        ONE_LAYER | HEADS | {"attention_bias": True, "pad_head_dim_to_multiple_of": 8},
        inputs=spoken(1300, 4),
    ),
    "relu": Case(
        MoonshineForConditionalGeneration,
        ONE_LAYER
        | {
            "encoder_hidden_act": "relu",
            "decoder_hidden_act": "gelu_new",
            "rope_parameters": {
                "rope_type": "linear", "factor": 2.0, "rope_theta": 100.0, "partial_rotary_factor": 1.0,
            },
        },
        inputs=spoken(1300, 6, 1),
    ),
    "untied": Case(
        MoonshineForConditionalGeneration,
        ONE_LAYER | {"tie_word_embeddings": False},
        inputs=spoken(1300, 4),
        adjust=untied,
    ),
    "of_4": Case(
        MoonshineForConditionalGeneration,
        ONE_LAYER
        | {"rope_parameters": {"rope_type": "default", "rope_theta": 10000.0, "partial_rotary_factor": 0.5}},
        inputs=spoken(1300, 4),
        edit=of_4,
    ),
    "no_architectures": Case(
        MoonshineForConditionalGeneration, ONE_LAYER, inputs=spoken(1300, 4), edit=without_architectures
    ),
    "f16": Case(MoonshineForConditionalGeneration, ONE_LAYER, inputs=spoken(1300, 4), dtype=torch.float16),
    "generate": Case(
        MoonshineForConditionalGeneration,
        {"decoder_num_hidden_layers": 2, "eos_token_id": 0},
        inputs=spoken(1300, 3),
        keep=("logits",),
        generate=8,
    ),
}


def config(case, seed):
    return MoonshineConfig(**(SIZES | case.config), attn_implementation="eager")


def centre(name):
    if "norm" in name and name.endswith("weight"):
        return 1, 0.3
    if ".conv1." in name:
        return 0, 0.15
    # Scores of a few units.
    return 0, 0.5 if ".conv3" in name or name.endswith(("q_proj.weight", "k_proj.weight")) else 0.3


if __name__ == "__main__":
    fixture.main(fixture.Family("moonshine", config, CASES, centre))
