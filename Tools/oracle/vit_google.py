"""Writes Fixtures/vit/google: python Tools/oracle/vit_google.py FOLDER, then converted.py on it.

FOLDER is a copy of the original code, google-research/vision_transformer at c6de1e5378c9: vit_jax/models_vit.py is run as
it is, in float64, with jax 0.7.2 and flax 0.10.7. It creates the parameters, so that every shape is its own, and every name but
for the numbers in some; and computes the logits. timm's own loader (1.0.31) reads the npz, and transformers gets timm's weights.
"""

import json
import sys
import tempfile
from pathlib import Path

import jax
import numpy as np

from clip_openclip import LIBRARY  # noqa: F401 (before timm, which imports torchvision)
from converted import original_folder
from exact import FIXTURES, write_npz
from vit_timm import build, vit, write_transformers

jax.config.update("jax_enable_x64", True)
FOLDER = original_folder("VISION_TRANSFORMER", "google-research/vision_transformer")
sys.path.insert(0, str(FOLDER))

import flax  # noqa: E402
import jax.numpy as jnp  # noqa: E402
from flax.traverse_util import flatten_dict, unflatten_dict  # noqa: E402
from transformers import ViTForImageClassification  # noqa: E402

jnp.float32 = jnp.float64  # which its modules ask for by name

from vit_jax.models_vit import VisionTransformer  # noqa: E402


# What modules are called in the files that were published, which are older than flax's Linen.
OLDER = {
    "MultiHeadDotProductAttention_0": "MultiHeadDotProductAttention_1",
    "LayerNorm_1": "LayerNorm_2",
    "MlpBlock_0": "MlpBlock_3",
}


def older(path):
    return "/".join(OLDER.get(name, name) for name in path.split("/"))


class Patches:
    size = (2, 2)


def main():
    random = np.random.default_rng(5)
    model = VisionTransformer(
        num_classes=3,
        patches=Patches(),
        transformer={"num_layers": 2, "mlp_dim": 9, "num_heads": 3},
        hidden_size=6,
    )
    pixels = random.integers(-500, 500, (2, 3, 6, 6)) / 256
    pictures = pixels.transpose(0, 2, 3, 1)  # channels last
    shapes = model.init(jax.random.PRNGKey(0), pictures, train=False)["params"]
    arrays = {}
    for path, array in sorted(flatten_dict(shapes, sep="/").items()):
        mean = 1 if path.endswith("scale") else 0
        arrays[path] = (mean + 0.3 * random.standard_normal(array.shape)).astype(np.float32)
    exact = {path: array.astype(np.float64) for path, array in arrays.items()}
    logits = model.apply({"params": unflatten_dict(exact, sep="/")}, pictures, train=False)
    assert logits.dtype == np.float64
    folder = FIXTURES / "vit" / "google"
    folder.mkdir(parents=True, exist_ok=True)
    arrays = {older(path): array for path, array in arrays.items()}
    write_npz(folder / "model.npz", dict(sorted(arrays.items())))
    framework = f"google-research/vision_transformer c6de1e5378c9, flax {flax.__version__}"
    facts = {"precision": "exact-f64", "framework": framework, "code": "models_vit"}
    text = np.frombuffer(json.dumps(facts).encode(), dtype=np.uint8)
    golden = {"inputs/pixel_values": pixels, "outputs/logits": np.asarray(logits)}
    write_npz(folder / "golden-original.npz", golden | {"__golden__": text})
    with tempfile.TemporaryDirectory() as scratch:
        np.savez(Path(scratch) / "model.npz", **arrays)
        read = build("vit_tiny_patch16_224", {"embed_dim": 6, "num_classes": 3})
        read.load_pretrained(str(Path(scratch) / "model.npz"))
    config = vit(6, 3, num_labels=3, hidden_act="gelu_new")
    write_transformers(folder, read.state_dict(), ViTForImageClassification, config, "vit.")


if __name__ == "__main__":
    main()
