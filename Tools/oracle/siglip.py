"""Writes the fixtures of SigLIP: python Tools/oracle/siglip.py [CASE ...]"""

from transformers import (
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


def text(config={}, inputs=texts, **more):
    return Case(SiglipTextModel, ("text", config), inputs=inputs, **more)


def vision(config={}, inputs=pictures, **more):
    return Case(SiglipVisionModel, ("vision", config), inputs=inputs, **more)


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
}


def config(case, seed):
    epsilon = {"layer_norm_eps": 1e-3 if seed % 2 else 1e-5}
    kind, *own = case.config
    if kind == "text":
        return SiglipTextConfig(**TEXT | epsilon | own[0], attn_implementation="eager")
    if kind == "vision":
        return SiglipVisionConfig(**VISION | epsilon | own[0], attn_implementation="eager")
    labels = {"num_labels": 3} if case.model is SiglipForImageClassification else {}
    return SiglipConfig(
        text_config=TEXT | epsilon | own[0],
        vision_config=VISION | epsilon | own[1],
        attn_implementation="eager",
        **labels,
    )


if __name__ == "__main__":
    fixture.main(fixture.Family("siglip", config, CASES, encoders.centre))
