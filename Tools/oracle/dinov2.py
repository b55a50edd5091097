"""Writes the fixtures of DINOv2: python Tools/oracle/dinov2.py [CASE ...]"""

from transformers import (
    Dinov2Config,
    Dinov2ForImageClassification,
    Dinov2Model,
    Dinov2WithRegistersConfig,
    Dinov2WithRegistersForImageClassification,
    Dinov2WithRegistersModel,
)

import images
from encoders import ONE_LAYER, without_architectures
from fixture import as_modules_name_it
from images import Case, masked_pictures, sized


def case(model, config={}, **more):
    return Case(model, config, **more)


def registers(model, config={}, **more):
    return Case(
        model, {"num_register_tokens": 3} | config, sizes=Dinov2WithRegistersConfig, **more
    )


CASES = {
    "base": case(Dinov2Model, {"mlp_ratio": 2}),
    "masked": case(Dinov2Model, ONE_LAYER, inputs=masked_pictures),
    "no_mask_token": case(Dinov2Model, ONE_LAYER | {"use_mask_token": False}),
    "swiglu": case(Dinov2Model, ONE_LAYER | {"use_swiglu_ffn": True, "qkv_bias": False}),
    "classification": case(Dinov2ForImageClassification, {"num_labels": 3, "mlp_ratio": 1}),
    "no_architectures": case(Dinov2ForImageClassification, ONE_LAYER, edit=without_architectures),
    "modules": case(
        Dinov2ForImageClassification,
        {"num_labels": 3, "use_swiglu_ffn": True},
        edit=as_modules_name_it,
    ),
    "larger": case(Dinov2Model, ONE_LAYER, inputs=sized(9, 14)),
    "smaller": case(
        Dinov2ForImageClassification, ONE_LAYER | {"image_size": 10, "num_labels": 3}, inputs=sized(6, 4)
    ),
    "registers_larger": registers(Dinov2WithRegistersModel, ONE_LAYER, inputs=sized(9, 14)),
    # Down in one direction, where torch's smoothing shows, and up in the other.
    "registers_smaller": registers(
        Dinov2WithRegistersModel, ONE_LAYER | {"image_size": 14}, inputs=sized(4, 17)
    ),
    "registers": registers(Dinov2WithRegistersModel, inputs=masked_pictures),
    "registers_swiglu": registers(
        Dinov2WithRegistersModel, ONE_LAYER | {"use_swiglu_ffn": True, "mlp_ratio": 3}
    ),
    "registers_classification": registers(
        Dinov2WithRegistersForImageClassification,
        ONE_LAYER | {"num_register_tokens": 1, "num_labels": 4},
    ),
    "registers_modules": registers(
        Dinov2WithRegistersModel, ONE_LAYER | {"mlp_ratio": 2}, edit=as_modules_name_it
    ),
    # The tensor is there, and has no element.
    "no_registers": registers(Dinov2WithRegistersModel, ONE_LAYER | {"num_register_tokens": 0}),
}

if __name__ == "__main__":
    images.main("dinov2", Dinov2Config, CASES)
