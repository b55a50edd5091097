"""Writes the fixtures of DINOv3: python Tools/oracle/dinov3.py [CASE ...]"""

from transformers import DINOv3ViTConfig, DINOv3ViTModel

import images
from encoders import ONE_LAYER, without_architectures
from fixture import rewrite_weights
from images import SIZES, Case, masked_pictures, sized


def case(config={}, **more):
    return Case(DINOv3ViTModel, config, **more)


def of_module(folder):
    """Names as the modules of transformers 5 have them."""

    def change(weights):
        return {
            "model." + name if name.startswith("layer.") else name: tensor
            for name, tensor in weights.items()
        }

    rewrite_weights(folder, change)


CASES = {
    "base": case(),
    "larger": case(ONE_LAYER, inputs=sized(5, 10)),
    "masked": case(ONE_LAYER, inputs=masked_pictures),
    "wide": case(ONE_LAYER | {"image_size": [4, 9], "patch_size": [2, 3], "num_attention_heads": 1}),
    "gated": case(
        ONE_LAYER
        | {
            "use_gated_mlp": True,
            "hidden_act": "silu",
            "rope_theta": 10.0,
            "query_bias": False,
            "key_bias": True,
        }
    ),
    "no_registers": case(ONE_LAYER | {"num_register_tokens": 0, "mlp_bias": False}),
    "no_biases": case(
        ONE_LAYER | {"value_bias": False, "proj_bias": False}, edit=without_architectures
    ),
    "of_module": case(ONE_LAYER, edit=of_module),
}

if __name__ == "__main__":
    # Heads of 8: two frequencies in each direction, of which the second depends on the base.
    sizes = {"hidden_size": 16, "intermediate_size": 5, "num_register_tokens": 3}
    images.main("dinov3", DINOv3ViTConfig, CASES, SIZES | sizes)
