"""Writes the fixtures of Swin and Swin v2: python Tools/oracle/swin.py [CASE ...]"""

import torch
from transformers import (
    SwinConfig,
    SwinForImageClassification,
    SwinForMaskedImageModeling,
    SwinModel,
    Swinv2Config,
    Swinv2ForImageClassification,
    Swinv2ForMaskedImageModeling,
    Swinv2Model,
)

import images
from encoders import without_architectures
from fixture import rewrite_config, rewrite_weights
from images import Case, masked_pictures, sized

SIZES = {
    "image_size": 12,
    "patch_size": 2,
    "num_channels": 3,
    "embed_dim": 4,
    "depths": [2, 1],
    "num_heads": [2, 4],
    "window_size": 3,
    "mlp_ratio": 1.5,
}
KEEP = ("last_hidden_state", "pooler_output", "hidden_states.0", "hidden_states.1", "hidden_states.2")
# Two windows high and wide, which are shifted; then one.
SHORT = {"depths": [2]}


def picture(random, config):
    return images.pictures(random, config, 1)


def case(model, config={}, keep=KEEP, inputs=picture, **more):
    return Case(model, config, inputs=inputs, keep=keep, **more)


def second(model, config={}, keep=KEEP, inputs=picture, **more):
    # The network of places has 512 units: half as many bytes.
    more = {"dtype": torch.bfloat16} | more
    return Case(model, config, inputs=inputs, keep=keep, sizes=Swinv2Config, **more)


def of_4(folder):
    """With the indices that transformers 4 saved, and its keys."""

    def weights_of_4(weights):
        found = {}
        for name, tensor in weights.items():
            if name.endswith("relative_position_bias_table"):
                side = (int(tensor.shape[0] ** 0.5) + 1) // 2
                rows, columns = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
                rows, columns = rows.flatten(), columns.flatten()
                index = (rows[:, None] - rows + side - 1) * (2 * side - 1) + columns[:, None] - columns + side - 1
                found[name.replace("bias_table", "index")] = index
        return weights | found

    def config_of_4(config):
        config["torch_dtype"] = config.pop("dtype")
        return config | {"transformers_version": "4.30.2", "path_norm": True, "num_layers": len(config["depths"])}

    rewrite_weights(folder, weights_of_4)
    rewrite_config(folder, config_of_4)


LOGITS = ("logits", "hidden_states.0", "hidden_states.1")
RECONSTRUCTION = ("reconstruction", "hidden_states.0", "hidden_states.1")

CASES = {
    "base": case(SwinModel, {"depths": [2, 2]}, inputs=images.pictures),
    # Pixels are filled up to whole patches, patches to whole windows and, where they are merged, to squares.
    "odd": case(
        SwinModel,
        {"image_size": 9, "window_size": 2, "num_heads": [1, 2], "depths": [2, 3], "hidden_act": "gelu_new"},
    ),
    "wide": case(SwinModel, {"image_size": [12, 16], "window_size": 2, "depths": [2, 2], "qkv_bias": False}, KEEP[:1]),
    "absolute": case(
        SwinModel, SHORT | {"num_heads": [2], "use_absolute_embeddings": True}, KEEP[:4]
    ),
    "classification": case(SwinForImageClassification, {"num_labels": 3}, LOGITS),
    "masked": case(
        SwinForMaskedImageModeling, {"encoder_stride": 3, "image_size": 6, "window_size": 2}, RECONSTRUCTION, inputs=masked_pictures
    ),
    "no_architectures": case(
        SwinForImageClassification, {"num_labels": 3, "depths": [1, 1]}, LOGITS, edit=without_architectures
    ),
    # Pictures of other sizes: the second layers have shifted windows in them.
    "larger": case(SwinModel, {"depths": [2, 2]}, KEEP[:2], inputs=sized(17, 26)),
    "smaller": case(SwinModel, {"image_size": 24, "depths": [2, 2]}, KEEP[:2], inputs=sized(9, 14)),
    "absolute_larger": case(
        SwinForImageClassification,
        SHORT | {"num_heads": [2], "num_labels": 3, "use_absolute_embeddings": True},
        LOGITS[:2],
        inputs=sized(16, 10),
    ),
    "of_4": case(SwinModel, {}, KEEP[:2], edit=of_4),
    "v2": second(Swinv2Model),
    "v2_odd": second(Swinv2Model, {"image_size": 10, "window_size": 2, "pretrained_window_sizes": [3, 2]}),
    # Windows that are larger than what is left are made smaller.
    "v2_small": second(Swinv2Model, {"image_size": 8, "depths": [1, 1]}),
    "v2_larger": second(Swinv2Model, {"depths": [2, 2]}, KEEP[:2], inputs=sized(15, 23)),
    "v2_classification": second(
        Swinv2ForImageClassification, {"num_labels": 3, "qkv_bias": False, "depths": [1, 1]}, LOGITS
    ),
    "v2_masked": second(
        Swinv2ForMaskedImageModeling,
        {"encoder_stride": 2, "depths": [1], "num_heads": [2], "image_size": 6},
        RECONSTRUCTION[:2],
        inputs=masked_pictures,
    ),
}

if __name__ == "__main__":
    images.main("swin", SwinConfig, CASES, SIZES)
