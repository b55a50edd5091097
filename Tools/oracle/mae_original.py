"""Writes Fixtures/mae/original: python Tools/oracle/mae_original.py MAE, MAE holding facebookresearch/mae (models_mae.py); then
converted.py on it.

The model is the authors', on the blocks of timm 1.0.31, whose constructor has lost an argument since. transformers' model gets
the same weights by the table below.
"""

import re
import sys
import tempfile
from functools import partial
from pathlib import Path

import numpy as np
import torch

from clip_openclip import LIBRARY  # noqa: F401 (before timm, which imports torchvision)
from converted import original_folder, write_huggingface, write_original
from exact import FIXTURES, golden
from fixture import randomise
from safetensors.torch import save_file

import timm.models.vision_transformer as blocks
from transformers import ViTMAEConfig, ViTMAEForPreTraining

FOLDER = FIXTURES / "mae" / "original"
SIZES = {
    "img_size": 6,
    "patch_size": 2,
    "embed_dim": 8,
    "depth": 2,
    "num_heads": 2,
    "decoder_embed_dim": 12,
    "decoder_depth": 1,
    "decoder_num_heads": 3,
    "mlp_ratio": 1.5,
}
CONFIG = {
    "image_size": 6,
    "patch_size": 2,
    "hidden_size": 8,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 12,
    "decoder_hidden_size": 12,
    "decoder_num_hidden_layers": 1,
    "decoder_num_attention_heads": 3,
    "decoder_intermediate_size": 18,
    "layer_norm_eps": 1e-6,
    "mask_ratio": 0.5,
}


def load():
    sys.path.insert(0, str(original_folder("MAE", "models_mae.py of facebookresearch/mae")))
    np.float = float  # gone from numpy

    class Block(blocks.Block):
        def __init__(self, *arguments, qk_scale=None, **options):
            assert qk_scale is None
            super().__init__(*arguments, **options)

    blocks.Block = Block
    import models_mae

    return models_mae


def build(module):
    return module.MaskedAutoencoderViT(**SIZES, norm_layer=partial(torch.nn.LayerNorm, eps=1e-6)).eval()


def outputs_of(module, weights, pixels, noise):
    """What the authors' code computes in float64, with the noise that it draws."""
    draw = torch.rand
    with golden.lifted() as offenders, torch.no_grad():
        model = build(module)
        model.load_state_dict({k: v.double() for k, v in weights.items()}, assign=True)
        torch.rand = lambda *shape, device=None: torch.from_numpy(noise)
        try:
            _, logits, mask = model.eval()(torch.from_numpy(pixels), mask_ratio=0.5)
        finally:
            torch.rand = draw
    assert not offenders, offenders
    return {"logits": logits.numpy(), "mask": mask.numpy()}


BLOCK = {
    "norm1": "layernorm_before",
    "norm2": "layernorm_after",
    "attn.proj": "attention.output.dense",
    "mlp.fc1": "intermediate.dense",
    "mlp.fc2": "output.dense",
}
TABLE = {
    "patch_embed.proj": "vit.embeddings.patch_embeddings.projection",
    "cls_token": "vit.embeddings.cls_token",
    "pos_embed": "vit.embeddings.position_embeddings",
    "norm": "vit.layernorm",
    "decoder_embed": "decoder.decoder_embed",
    "mask_token": "decoder.mask_token",
    "decoder_pos_embed": "decoder.decoder_pos_embed",
    "decoder_norm": "decoder.decoder_norm",
    "decoder_pred": "decoder.decoder_pred",
}


def renamed(weights):
    """The weights under transformers' names."""
    found = {}
    for name, tensor in weights.items():
        stem, _, kind = name.rpartition(".") if name.endswith((".weight", ".bias")) else (name, "", "")
        dot = "." + kind if kind else ""
        block = re.fullmatch(r"(decoder_)?blocks\.(\d+)\.(.*)", stem)
        if not block:
            found[TABLE[stem] + dot] = tensor
            continue
        layer = f"decoder.decoder_layers.{block[2]}." if block[1] else f"vit.encoder.layer.{block[2]}."
        if block[3] == "attn.qkv":
            for part, piece in zip(("query", "key", "value"), tensor.chunk(3)):
                found[f"{layer}attention.attention.{part}{dot}"] = piece.clone()
        else:
            found[layer + BLOCK[block[3]] + dot] = tensor
    return found


def main():
    module = load()
    FOLDER.mkdir(parents=True, exist_ok=True)
    model = build(module)
    randomise(model, 11, lambda name: (1, 0.3) if "norm" in name and name.endswith("weight") else (0, 0.3))
    weights = {k: v.clone() for k, v in model.state_dict().items()}
    save_file(weights, FOLDER / "model.safetensors")
    (FOLDER / "model.safetensors").chmod(0o644)
    random = np.random.default_rng(11)
    inputs = {"pixel_values": random.integers(-500, 500, (2, 3, 6, 6)) / 256, "noise": random.random((2, 9))}
    outputs = outputs_of(module, weights, *inputs.values())
    write_original(FOLDER, inputs, outputs, framework="facebookresearch/mae", code="models_mae.py")
    with tempfile.TemporaryDirectory() as scratch:
        save_file(renamed(weights), Path(scratch) / "model.safetensors", {"format": "pt"})
        ViTMAEConfig(**CONFIG, attn_implementation="eager").save_pretrained(scratch)
        converted, report = ViTMAEForPreTraining.from_pretrained(scratch, output_loading_info=True)
    assert not report["missing_keys"] and not report["unexpected_keys"], report
    write_huggingface(FOLDER, converted)


if __name__ == "__main__":
    main()
