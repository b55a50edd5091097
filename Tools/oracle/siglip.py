"""Writes the fixtures of SigLIP and SigLIP 2: python Tools/oracle/siglip.py [CASE ...]"""

import numpy as np
from transformers import (
    Siglip2Config,
    Siglip2ForImageClassification,
    Siglip2Model,
    Siglip2TextConfig,
    Siglip2TextModel,
    Siglip2VisionConfig,
    Siglip2VisionModel,
    SiglipConfig,
    SiglipForImageClassification,
    SiglipModel,
    SiglipTextConfig,
    SiglipTextModel,
    SiglipVisionConfig,
    SiglipVisionModel,
)

import encoders
import fixture
from encoders import ONE_LAYER, without_architectures
from fixture import Case
from images import sized
from towers import TEXT, VISION, both, pictures, placed, texts, unmasked

TEXT = TEXT | {"hidden_size": 6}
# Nine positions of patches, which are lists.
LISTS = {key: value for key, value in VISION.items() if key != "image_size"} | {"num_patches": 9}


def lists(shapes, count, masked=True):
    """Pictures of so many rows and columns of patches, in lists of `count`."""

    def inputs(random, config):
        own = getattr(config, "vision_config", config)
        numbers = own.num_channels * own.patch_size**2
        found = {
            "pixel_values": random.integers(-256, 256, (len(shapes), count, numbers)) / 128,
            "spatial_shapes": np.array(shapes, dtype=np.int64),
        }
        mask = np.arange(count)[None] < np.array([[rows * columns] for rows, columns in shapes])
        return found | {"pixel_attention_mask": mask.astype(np.int64)} if masked else found

    return inputs


# Larger, smaller, and longer than the table of positions.
PICTURES = lists([(3, 4), (2, 2), (1, 7)], 14)


def listed(random, config):
    return texts(random, config) | PICTURES(random, config)


def text(config={}, inputs=texts, **more):
    return Case(SiglipTextModel, ("text", config), inputs=inputs, **more)


def vision(config={}, inputs=pictures, **more):
    return Case(SiglipVisionModel, ("vision", config), inputs=inputs, **more)


def text2(config={}, inputs=texts, **more):
    return Case(Siglip2TextModel, ("text", config), inputs=inputs, **more)


def vision2(config={}, inputs=PICTURES, **more):
    return Case(Siglip2VisionModel, ("vision", config), inputs=inputs, **more)


def towers(model=SiglipModel, text={}, vision={}, inputs=both, **more):
    return Case(model, ("both", text, vision), inputs=inputs, **more)


CASES = {
    "text": text({"projection_size": 5}),
    "text_unmasked": text(ONE_LAYER | {"hidden_act": "gelu"}, inputs=unmasked),
    "text_placed": text(ONE_LAYER, inputs=placed),
    "vision": vision(),
    "vision_gelu": vision(ONE_LAYER | {"hidden_act": "gelu", "image_size": 7, "patch_size": 3}),
    "vision_no_head": vision(ONE_LAYER | {"vision_use_head": False}),
    "vision_larger": vision(ONE_LAYER, inputs=sized(10, 7)),
    "base": towers(),
    "narrow": towers(
        text=ONE_LAYER | {"hidden_size": 4, "projection_size": 6},
        vision=ONE_LAYER,
        edit=without_architectures,
    ),
    "classification": towers(SiglipForImageClassification, inputs=pictures),
    "classification_no_head": towers(
        SiglipForImageClassification,
        vision=ONE_LAYER | {"vision_use_head": False},
        inputs=pictures,
        edit=without_architectures,
    ),
    "siglip2": towers(Siglip2Model, inputs=listed),
    "siglip2_narrow": towers(
        Siglip2Model,
        text=ONE_LAYER | {"hidden_size": 4, "projection_size": 6},
        vision=ONE_LAYER,
        inputs=listed,
        edit=without_architectures,
    ),
    "siglip2_text": text2({"projection_size": 5}),
    "siglip2_vision": vision2(),
    "siglip2_vision_usual": vision2(ONE_LAYER, inputs=lists([(3, 3), (3, 3)], 9)),
    "siglip2_vision_large": vision2(
        ONE_LAYER | {"num_patches": 16, "hidden_act": "gelu", "num_channels": 1},
        inputs=lists([(1, 1), (5, 6)], 30),
    ),
    "siglip2_vision_no_head": vision2(ONE_LAYER | {"vision_use_head": False}),
    "siglip2_classification": towers(Siglip2ForImageClassification, inputs=PICTURES),
}


def config(case, seed):
    epsilon = {"layer_norm_eps": 1e-3 if seed % 2 else 1e-5}
    kind, *own = case.config
    is_second = case.model.__name__.startswith("Siglip2")
    vision = LISTS if is_second else VISION
    if kind == "text":
        form = Siglip2TextConfig if is_second else SiglipTextConfig
        return form(**TEXT | epsilon | own[0], attn_implementation="eager")
    if kind == "vision":
        form = Siglip2VisionConfig if is_second else SiglipVisionConfig
        return form(**vision | epsilon | own[0], attn_implementation="eager")
    classifiers = SiglipForImageClassification, Siglip2ForImageClassification
    labels = {"num_labels": 3} if case.model in classifiers else {}
    return (Siglip2Config if is_second else SiglipConfig)(
        text_config=TEXT | epsilon | own[0],
        vision_config=vision | epsilon | own[1],
        attn_implementation="eager",
        **labels,
    )


if __name__ == "__main__":
    fixture.main(fixture.Family("siglip", config, CASES, encoders.centre))
