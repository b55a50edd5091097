"""Writes the fixtures of ViT and DeiT: python Tools/oracle/vit.py [CASE ...]"""

from transformers import (
    DeiTConfig,
    DeiTForImageClassification,
    DeiTForImageClassificationWithTeacher,
    DeiTForMaskedImageModeling,
    DeiTModel,
    ViTConfig,
    ViTForImageClassification,
    ViTForMaskedImageModeling,
    ViTModel,
)

import images
from encoders import ONE_LAYER, without_architectures
from fixture import as_modules_name_it, rewrite_config
from images import SIZES, Case, masked_pictures, sized


def case(model, config={}, **more):
    return Case(model, config, **more)


def deit(model, config={}, **more):
    return Case(model, config, sizes=DeiTConfig, **more)


def of_4(folder):
    """Keys of transformers 4."""

    def change(config):
        config["torch_dtype"] = config.pop("dtype")
        config["transformers_version"] = "4.30.2"
        return {k: v for k, v in config.items() if not k.startswith("pooler_")}

    rewrite_config(folder, change)


CASES = {
    "base": case(ViTModel),
    "base_no_pooler": case(ViTModel, ONE_LAYER, build={"add_pooling_layer": False}),
    "pooler": case(ViTModel, ONE_LAYER | {"pooler_output_size": 4, "pooler_act": "relu"}),
    "wide": case(ViTModel, ONE_LAYER | {"image_size": [6, 9], "patch_size": [2, 3]}),
    # Pixels at the right and below that make no whole patch.
    "rest": case(ViTModel, ONE_LAYER | {"image_size": 7, "patch_size": 3, "qkv_bias": False}),
    "classification": case(
        ViTForImageClassification, {"num_labels": 3, "hidden_act": "gelu_new", "num_channels": 1}
    ),
    # Without the loss, which the class computes where something is masked.
    "masked": case(
        ViTForMaskedImageModeling,
        {"encoder_stride": 2},
        inputs=masked_pictures,
        keep=("reconstruction", "hidden_states.0", "hidden_states.2"),
    ),
    "no_mask": case(ViTForMaskedImageModeling, ONE_LAYER | {"encoder_stride": 3}),
    "no_architectures": case(ViTForImageClassification, ONE_LAYER, edit=without_architectures),
    "of_4": case(ViTModel, ONE_LAYER, edit=of_4),
    "modules": case(ViTForImageClassification, {"num_labels": 3}, edit=as_modules_name_it),
    "larger": case(ViTModel, ONE_LAYER, inputs=sized(11, 8)),
    "smaller": case(
        ViTForImageClassification, ONE_LAYER | {"image_size": 12, "num_labels": 3}, inputs=sized(4, 15)
    ),
    "deit_larger": deit(
        DeiTForImageClassificationWithTeacher, ONE_LAYER | {"num_labels": 3}, inputs=sized(6, 8)
    ),
    "deit": deit(DeiTModel),
    "deit_classification": deit(DeiTForImageClassification, ONE_LAYER | {"num_labels": 4}),
    "deit_teacher": deit(
        DeiTForImageClassificationWithTeacher, {"num_labels": 3, "qkv_bias": False}
    ),
    "deit_masked": deit(
        DeiTForMaskedImageModeling,
        ONE_LAYER | {"encoder_stride": 2},
        inputs=masked_pictures,
        keep=("reconstruction", "hidden_states.0"),
    ),
    "deit_modules": deit(DeiTModel, ONE_LAYER, edit=as_modules_name_it),
    "deit_no_architectures": deit(
        DeiTForImageClassificationWithTeacher, ONE_LAYER, edit=without_architectures
    ),
}

if __name__ == "__main__":
    images.main("vit", ViTConfig, CASES, SIZES | {"intermediate_size": 5})
