"""Writes the fixtures of MAE: python Tools/oracle/mae.py [CASE ...]"""

from transformers import ViTMAEConfig, ViTMAEForPreTraining, ViTMAEModel

from transformers.models.vit_mae.modeling_vit_mae import ViTMAEDecoder

import images
from encoders import ONE_LAYER, without_architectures
from fixture import rewrite_weights
from images import SIZES, Case, pictures, sized

# Its table is made in single precision, and replaced by the model's weights.
ViTMAEDecoder.initialize_weights = lambda decoder, patches: None


def noisy(random, config):
    """A number for each patch, by which they are sorted; those of the largest are left out."""
    patches = (config.image_size // config.patch_size) ** 2
    return pictures(random, config) | {"noise": random.permutation(2 * patches).reshape(2, patches) / 32}


def noisy_sized(height, width):
    """The same of another size than the config says."""

    def inputs(random, config):
        patches = (height // config.patch_size) * (width // config.patch_size)
        noise = random.permutation(2 * patches).reshape(2, patches) / 32
        return sized(height, width)(random, config) | {"noise": noise}

    return inputs


def of_4(folder):
    """As files were saved by transformers 4: 5.23 calls the decoder's layers otherwise, and reads both."""
    rewrite_weights(
        folder, lambda weights: {k.replace("decoder_encoder.layer.", "decoder_layers."): v for k, v in weights.items()}
    )


def case(config={}, model=ViTMAEModel, inputs=noisy, **more):
    return Case(model, config, inputs=inputs, **more)


KEEP = ("last_hidden_state", "mask", "hidden_states.0", "hidden_states.1")
DECODER = {
    "decoder_hidden_size": 4,
    "decoder_num_attention_heads": 2,
    "decoder_num_hidden_layers": 2,
    "decoder_intermediate_size": 3,
}
CASES = {
    "base": case(keep=KEEP),
    "half": case(ONE_LAYER | {"mask_ratio": 0.5, "qkv_bias": False, "hidden_act": "gelu_new"}, keep=KEEP),
    "pretraining": case(ONE_LAYER | DECODER, ViTMAEForPreTraining, keep=("logits", "mask", "hidden_states.1")),
    "of_4": case(ONE_LAYER | DECODER, ViTMAEForPreTraining, keep=("logits",), edit=of_4),
    "no_architectures": case(
        ONE_LAYER | DECODER | {"mask_ratio": 0.6}, ViTMAEForPreTraining, keep=("logits",), edit=without_architectures
    ),
    # Pictures of other sizes.
    "larger": case(inputs=noisy_sized(11, 8), keep=KEEP[:2]),
    "decoder_smaller": case(
        DECODER | {"image_size": 12}, ViTMAEForPreTraining, noisy_sized(4, 10), keep=("logits", "mask")
    ),
}

if __name__ == "__main__":
    images.main("mae", ViTMAEConfig, CASES, SIZES | {"intermediate_size": 5})
