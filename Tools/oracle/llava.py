"""Writes the fixtures of LLaVA: python Tools/oracle/llava.py [CASE ...]"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
from transformers import (
    CLIPVisionConfig,
    LlamaConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    MistralConfig,
    Qwen2Config,
    SiglipVisionConfig,
)

import encoders
import fixture
from fixture import as_modules_name_it, rewrite_config, rewrite_weights
from images import SIZES

IMAGE = 33  # the token in whose places a picture stands, of 37

CLIP = SIZES | {"intermediate_size": 5, "num_hidden_layers": 3, "projection_dim": 4}
LLAMA = {
    "vocab_size": 37,
    "hidden_size": 12,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "head_dim": 6,
    "intermediate_size": 10,
    "num_hidden_layers": 2,
    "max_position_embeddings": 64,
    "eos_token_id": 36,
    "bos_token_id": 1,
}


# --- Inputs: (random, config) -> named arrays ------------------------------------------------


def count(config):
    """How many vectors a picture becomes."""
    own = config.vision_config
    patches = (own.image_size // own.patch_size) ** 2
    first = 1 if own.model_type == "clip_vision_model" else 0
    return patches + first - (config.vision_feature_select_strategy == "default")


def seen(random, config, places, length=5):
    """Texts of some words, in each of which a picture stands at these places, padded at the end."""
    own = config.vision_config
    rows = []
    for row in places:
        words = list(random.integers(0, IMAGE, length))
        for place in reversed(row):
            words[place:place] = [IMAGE] * count(config)
        rows.append(words)
    longest = max(len(row) for row in rows)
    ids = np.array([row + [0] * (longest - len(row)) for row in rows])
    mask = np.array([[1] * len(row) + [0] * (longest - len(row)) for row in rows])
    shape = (sum(map(len, places)), own.num_channels, own.image_size, own.image_size)
    return {
        "input_ids": ids,
        "attention_mask": mask,
        "pixel_values": random.integers(-500, 500, shape) / 256,
    }


def usual(random, config):
    """A picture in the middle, one at the beginning, and a text without one."""
    return seen(random, config, [[2], [0], []])


def several(random, config):
    """Two pictures in one text, one behind the other in another."""
    return seen(random, config, [[1, 4], [5]])


def beside(random, config):
    """Two pictures that touch each other."""
    return seen(random, config, [[2, 2]])


def without(random, config):
    """A text alone, with the token of a picture as a word."""
    ids = random.integers(0, IMAGE, (2, 6))
    ids[1, 3] = IMAGE
    return {"input_ids": ids}


def prompt(random, config):
    return {k: v for k, v in seen(random, config, [[1], [4]], 4).items() if k != "attention_mask"}


# --- Edits -----------------------------------------------------------------------------------


def of_4(folder):
    """As transformers 4 left files: the encoder's prefix, its numbers of positions, and settings of other models."""

    def weights_of_4(weights):
        prefix = "vision_tower."
        old = {k.replace(prefix, prefix + "vision_model."): v for k, v in weights.items()}
        table = old["vision_tower.vision_model.embeddings.position_embedding.weight"]
        old["vision_tower.vision_model.embeddings.position_ids"] = torch.arange(len(table))[None]
        return old

    def config_of_4(config):
        config["torch_dtype"] = config.pop("dtype")
        config["transformers_version"] = "4.36.0.dev0"
        config |= {"ignore_index": -100, "pad_token_id": 34, "vocab_size": 37}
        config["vision_config"] |= {"vocab_size": 32000}
        config["text_config"] |= {"_name_or_path": "", "architectures": ["LlamaForCausalLM"]}
        return config

    rewrite_weights(folder, weights_of_4)
    rewrite_config(folder, config_of_4)


# --- Cases -----------------------------------------------------------------------------------


@dataclass
class Case(fixture.Case):
    model: type = LlavaForConditionalGeneration
    vision: tuple = (CLIPVisionConfig, CLIP)
    text: tuple = (LlamaConfig, LLAMA)
    inputs: Callable | None = usual


SIGLIP = (SiglipVisionConfig, SIZES | {"intermediate_size": 5, "num_hidden_layers": 2})
MISTRAL = LLAMA | {"sliding_window": 4, "hidden_size": 8}
QWEN2 = {k: v for k, v in LLAMA.items() if k != "head_dim"} | {"tie_word_embeddings": True}
LOGITS = ("logits",)

CASES = {
    "base": Case(keep=("logits", "image_hidden_states", "hidden_states.0", "hidden_states.1")),
    "several": Case(inputs=several, keep=LOGITS),
    "layers": Case(config={"vision_feature_layer": [-1, 0, 1]}, inputs=beside, keep=LOGITS),
    "without_pictures": Case(inputs=without, keep=LOGITS),
    "of_4": Case(edit=of_4, keep=LOGITS),
    "of_modules": Case(edit=as_modules_name_it, keep=LOGITS),
    "full": Case(
        config={
            "vision_feature_select_strategy": "full",
            "vision_feature_layer": -1,
            "projector_hidden_act": "gelu_pytorch_tanh",
            "multimodal_projector_bias": False,
        },
        keep=LOGITS,
    ),
    "siglip_qwen2": Case(
        vision=SIGLIP,
        text=(Qwen2Config, QWEN2),
        config={
            "vision_feature_select_strategy": "full",
            "vision_feature_layer": -1,
            "tie_word_embeddings": True,
        },
        keep=LOGITS,
    ),
    "siglip_first_left_out": Case(
        vision=(SIGLIP[0], SIGLIP[1] | {"vision_use_head": False}),
        config={"vision_feature_layer": 1},
        keep=LOGITS,
    ),
    "mistral_generate": Case(
        text=(MistralConfig, MISTRAL), inputs=prompt, keep=LOGITS, generate=8
    ),
}


def config(case, seed):
    epsilon = {"layer_norm_eps": 1e-3 if seed % 2 else 1e-5}
    (vision, sizes), (text, own) = case.vision, case.text
    return LlavaConfig(
        vision_config=vision(**sizes | epsilon),
        text_config=text(**own | {"rms_norm_eps": 1e-4}),
        image_token_index=IMAGE,
        attn_implementation="eager",
        **case.config,
    )


if __name__ == "__main__":
    fixture.main(fixture.Family("llava", config, CASES, encoders.centre))
