"""What the scripts of encoders of pictures share: sizes, pictures, a case."""

from collections.abc import Callable
from dataclasses import dataclass

import encoders
import fixture

SIZES = {
    "hidden_size": 6,
    "num_attention_heads": 2,
    "num_hidden_layers": 2,
    "image_size": 6,
    "patch_size": 2,
    "num_channels": 3,
}


def extents(size):
    return list(size) if isinstance(size, (list, tuple)) else [size, size]


def pictures(random, config, count=2):
    """Numbers that single precision holds, around zero as a processor makes them."""
    shape = (count, config.num_channels, *extents(config.image_size))
    return {"pixel_values": random.integers(-500, 500, shape) / 256}


def sized(height, width):
    """Pictures of another size than the config says."""

    def inputs(random, config):
        config = getattr(config, "vision_config", config)
        return {"pixel_values": random.integers(-500, 500, (2, config.num_channels, height, width)) / 256}

    return inputs


def masked_pictures(random, config):
    """Some patches are masked, none of the last picture."""
    inputs = pictures(random, config, 3)
    rows, columns = (
        image // patch
        for image, patch in zip(extents(config.image_size), extents(config.patch_size))
    )
    masks = random.integers(0, 2, (3, rows * columns)).astype(bool)
    masks[2] = False
    return inputs | {"bool_masked_pos": masks}


@dataclass
class Case(fixture.Case):
    inputs: Callable | None = pictures
    sizes: type | None = None  # the class of the config, for a member that is not the family's first


def main(name, usual, cases, sizes=SIZES):
    encoders.main(name, usual, cases, sizes)
