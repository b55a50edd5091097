"""Writes the fixtures of BEiT: python Tools/oracle/beit.py [CASE ...]"""

import torch
from transformers import BeitConfig, BeitForImageClassification, BeitForMaskedImageModeling, BeitModel

import images
from encoders import ONE_LAYER, without_architectures
from fixture import rewrite_config, rewrite_weights
from images import SIZES, Case, masked_pictures, sized

OWN = {"use_relative_position_bias": True}
SHARED = {"use_shared_relative_position_bias": True}


def case(model, config={}, **more):
    return Case(model, config, **more)


def masked_twice(random, config):
    return {key: value[:2] for key, value in masked_pictures(random, config).items()}


def of_4(folder):
    """With the indices that transformers 4 saved."""

    def weights_of_4(weights):
        found = {}
        for name, tensor in weights.items():
            if name.endswith("relative_position_bias_table"):
                side = (int((tensor.shape[0] - 3) ** 0.5) + 1) // 2
                rows, columns = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
                rows, columns = rows.flatten(), columns.flatten()
                index = torch.zeros(side * side + 1, side * side + 1, dtype=torch.int64)
                index[1:, 1:] = (
                    (rows[:, None] - rows + side - 1) * (2 * side - 1) + columns[:, None] - columns + side - 1
                )
                index[0, 0:], index[0:, 0], index[0, 0] = (len(tensor) - n for n in (3, 2, 1))
                found[name.replace("bias_table", "index")] = index
        return weights | found

    def config_of_4(config):
        config["torch_dtype"] = config.pop("dtype")
        return config | {"transformers_version": "4.30.2", "segmentation_indices": None}

    rewrite_weights(folder, weights_of_4)
    rewrite_config(folder, config_of_4)


CASES = {
    "base": case(BeitModel, OWN),
    "shared": case(BeitModel, SHARED | {"use_mean_pooling": False}),
    "absolute": case(
        BeitModel,
        ONE_LAYER | {"use_absolute_position_embeddings": True, "use_mask_token": True, "layer_scale_init_value": 0.0},
        inputs=masked_twice,
    ),
    "both": case(BeitModel, OWN | SHARED | {"hidden_act": "gelu_new"}),
    "classification": case(BeitForImageClassification, OWN | {"num_labels": 3}),
    "classification_first": case(
        BeitForImageClassification, ONE_LAYER | SHARED | {"num_labels": 3, "use_mean_pooling": False}
    ),
    "masked": case(
        BeitForMaskedImageModeling,
        ONE_LAYER | SHARED | {"vocab_size": 11, "use_mask_token": True},
        inputs=masked_twice,
    ),
    "no_architectures": case(
        BeitForImageClassification, ONE_LAYER | OWN | {"num_labels": 3}, edit=without_architectures
    ),
    # Pictures of other sizes.
    "larger": case(BeitModel, ONE_LAYER | OWN | SHARED, inputs=sized(11, 8)),
    "smaller": case(
        BeitForImageClassification,
        ONE_LAYER | SHARED | {"image_size": 12, "use_absolute_position_embeddings": True, "num_labels": 3},
        inputs=sized(4, 10),
    ),
    "masked_wide": case(
        BeitForMaskedImageModeling,
        ONE_LAYER | OWN | {"vocab_size": 11, "use_mask_token": True},
        inputs=sized(4, 8),
    ),
    "of_4": case(BeitModel, ONE_LAYER | OWN | SHARED, edit=of_4),
}

if __name__ == "__main__":
    images.main("beit", BeitConfig, CASES, SIZES | {"intermediate_size": 5})
