"""Writes the fixtures of CLIP: python Tools/oracle/clip.py [CASE ...]"""

import torch
from transformers import (
    CLIPConfig,
    CLIPForImageClassification,
    CLIPModel,
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    CLIPVisionConfig,
    CLIPVisionModel,
    CLIPVisionModelWithProjection,
)

import encoders
import fixture
from encoders import ONE_LAYER, without_architectures
from fixture import Case, rewrite_config, rewrite_weights
from images import sized
from towers import TEXT, VISION, both, pictures, placed, texts, unmasked


def text(model, config={}, inputs=texts, **more):
    return Case(model, ("text", config), inputs=inputs, **more)


def vision(model, config={}, inputs=pictures, **more):
    return Case(model, ("vision", config), inputs=inputs, **more)


def towers(model=CLIPModel, text={}, vision={}, inputs=both, **more):
    return Case(model, ("both", text, vision), inputs=inputs, **more)


def both_sized(height, width):
    return lambda random, config: texts(random, config) | sized(height, width)(random, config)


def largest_end(random, config):
    """The end is the largest id, as where the config has another one for it."""
    return texts(random, config, end=16)


def of_4(folder):
    """As transformers 4 left files: numbers of positions, and all settings in the config's parts."""

    def weights_of_4(weights):
        numbers = {}
        for name, tensor in weights.items():
            if name.endswith("position_embedding.weight"):
                place = name.replace("position_embedding.weight", "position_ids")
                numbers[place] = torch.arange(len(tensor)).unsqueeze(0)
        return weights | numbers

    def config_of_4(config):
        config["torch_dtype"] = config.pop("dtype")
        config["transformers_version"] = None
        for key in ("text_config", "vision_config"):
            config[key] |= {
                "_name_or_path": "",
                "add_cross_attention": False,
                "chunk_size_feed_forward": 0,
                "cross_attention_hidden_size": None,
                "dropout": 0.0,
                "is_decoder": False,
                "pruned_heads": {},
                "tie_encoder_decoder": False,
                "tie_word_embeddings": True,
            }
            # These are read in place of the others.
            own = {k: config[key][k] for k in config[key] if not k.startswith("_")}
            config[key + "_dict"] = own
            config[key] = config[key] | {"hidden_size": 64}
        return config

    rewrite_weights(folder, weights_of_4)
    rewrite_config(folder, config_of_4)


def prefixed(folder):
    """A tower's names as transformers 4 has them."""
    rewrite_weights(folder, lambda weights: {"text_model." + k: v for k, v in weights.items()})


PROJECTED = {"projection_dim": 5}
CASES = {
    "text": text(CLIPTextModel),
    "text_unmasked": text(CLIPTextModel, ONE_LAYER, inputs=unmasked),
    "text_placed": text(CLIPTextModel, ONE_LAYER | {"hidden_act": "gelu"}, inputs=placed),
    "text_prefixed": text(CLIPTextModel, ONE_LAYER, edit=prefixed),
    "text_largest": text(CLIPTextModel, ONE_LAYER | {"eos_token_id": 2}, inputs=largest_end),
    "text_projection": text(CLIPTextModelWithProjection, PROJECTED),
    "text_no_architectures": text(
        CLIPTextModelWithProjection, ONE_LAYER | PROJECTED, edit=without_architectures
    ),
    "vision": vision(CLIPVisionModel),
    "vision_gelu": vision(
        CLIPVisionModel, ONE_LAYER | {"hidden_act": "gelu", "image_size": 7, "patch_size": 3}
    ),
    "vision_projection": vision(CLIPVisionModelWithProjection, PROJECTED),
    "vision_no_architectures": vision(
        CLIPVisionModelWithProjection, ONE_LAYER | PROJECTED, edit=without_architectures
    ),
    "vision_larger": vision(CLIPVisionModel, ONE_LAYER, inputs=sized(10, 7)),
    "base": towers(),
    "larger": towers(text=ONE_LAYER, vision=ONE_LAYER, inputs=both_sized(4, 8)),
    "no_architectures": towers(text=ONE_LAYER, vision=ONE_LAYER, edit=without_architectures),
    "of_4": towers(text=ONE_LAYER, vision=ONE_LAYER, edit=of_4),
    "of_one_width": towers(text=ONE_LAYER, vision=ONE_LAYER | {"hidden_size": 8}),
    "classification": towers(CLIPForImageClassification, inputs=pictures),
}


def config(case, seed):
    epsilon = {"layer_norm_eps": 1e-3 if seed % 2 else 1e-5}
    kind, *own = case.config
    if kind == "text":
        return CLIPTextConfig(**TEXT | epsilon | own[0], attn_implementation="eager")
    if kind == "vision":
        return CLIPVisionConfig(**VISION | epsilon | own[0], attn_implementation="eager")
    labels = {"num_labels": 3} if case.model is CLIPForImageClassification else {}
    return CLIPConfig(
        text_config=TEXT | epsilon | own[0],
        vision_config=VISION | epsilon | own[1],
        projection_dim=5,
        attn_implementation="eager",
        **labels,
    )


if __name__ == "__main__":
    fixture.main(fixture.Family("clip", config, CASES, encoders.centre))
