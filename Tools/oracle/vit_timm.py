"""Writes Fixtures/vit/timm, timm_base, timm_deit and Fixtures/dinov2/timm: python Tools/oracle/vit_timm.py [CASE ...],
then converted.py on them.

The models are timm's (1.0.31), and so are their files. transformers' models get the same weights by the table below.
"""

import json
import re
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch

from clip_openclip import LIBRARY  # noqa: F401 (before timm, which imports torchvision)
from converted import write_huggingface
from exact import FIXTURES, golden, write_npz
from fixture import randomise
from safetensors.torch import save_file

import timm
from transformers import (
    DeiTConfig,
    DeiTForImageClassificationWithTeacher,
    Dinov2Config,
    Dinov2Model,
    ViTConfig,
    ViTForImageClassification,
    ViTModel,
)

SMALL = {"img_size": 6, "patch_size": 2, "depth": 2, "mlp_ratio": 1.5}
HUGGING_FACE = {"image_size": 6, "patch_size": 2, "num_hidden_layers": 2, "layer_norm_eps": 1e-6}


def centre(name):
    return (1, 0.3) if "norm" in name and name.endswith("weight") else (0, 0.3)


def renamed(weights, model):
    """timm's weights under transformers' names."""
    table = {
        "patch_embed.proj": "embeddings.patch_embeddings.projection",
        "cls_token": "embeddings.cls_token",
        "dist_token": "embeddings.distillation_token",
        "pos_embed": "embeddings.position_embeddings",
        "norm": "layernorm",
    }
    heads = {"head": "classifier", "head_dist": "distillation_classifier"}
    if "head_dist.weight" in weights:
        heads["head"] = "cls_classifier"
    scaled = "blocks.0.ls1.gamma" in weights
    inner = {
        "norm1": "norm1" if scaled else "layernorm_before",
        "norm2": "norm2" if scaled else "layernorm_after",
        "attn.proj": "attention.output.dense",
        "mlp.fc1": "mlp.fc1" if scaled else "intermediate.dense",
        "mlp.fc2": "mlp.fc2" if scaled else "output.dense",
    }
    found = {}
    for name, tensor in weights.items():
        stem, _, kind = name.rpartition(".") if name.endswith((".weight", ".bias")) else (name, "", "")
        dot = "." + kind if kind else ""
        block = re.fullmatch(r"blocks\.(\d+)\.(.*)", stem)
        if stem in heads:
            found[heads[stem] + dot] = tensor
        elif not block:
            found[model + table[stem] + dot] = tensor
        else:
            layer = f"{model}encoder.layer.{block[1]}."
            if block[2] == "attn.qkv":
                for part, piece in zip(("query", "key", "value"), tensor.chunk(3)):
                    found[f"{layer}attention.attention.{part}{dot}"] = piece.clone()
            elif block[2].startswith("ls"):
                found[f"{layer}layer_scale{block[2][2]}.lambda1"] = tensor
            else:
                found[f"{layer}{inner[block[2]]}{dot}"] = tensor
    return found


def build(name, options):
    return timm.create_model(name, **SMALL | options).eval()


def outputs_of(name, options, weights, pixels, key):
    """What timm computes, in float64."""
    with golden.lifted() as offenders, torch.no_grad():
        model = build(name, options)
        model.load_state_dict({k: v.double() for k, v in weights.items()}, assign=True)
        model.eval()
        pictures = torch.from_numpy(pixels)
        result = model(pictures) if key == "logits" else model.forward_features(pictures)
    assert not offenders, offenders
    return {key: result.numpy()}


def write_transformers(path, weights, target, config, prefix):
    """The same weights in transformers' model, by way of a file as it writes them: modules have other names."""
    options = {"add_pooling_layer": False} if target is ViTModel else {}
    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch) / "model.safetensors"
        save_file(renamed(weights, prefix), file, {"format": "pt"})
        config.save_pretrained(scratch)
        converted, report = target.from_pretrained(scratch, output_loading_info=True, **options)
    assert not report["missing_keys"] and not report["unexpected_keys"], report
    write_huggingface(path, converted)


def case(folder, name, options, target, config, prefix, key="logits"):
    seed = len(folder) + len(name)
    path = FIXTURES / folder
    path.mkdir(parents=True, exist_ok=True)
    original = build(name, options)
    randomise(original, seed, centre)
    weights = {k: v.clone() for k, v in original.state_dict().items()}
    save_file(weights, path / "model.safetensors")
    (path / "model.safetensors").chmod(0o644)
    pixels = np.random.default_rng(seed).integers(-500, 500, (2, 3, 6, 6)) / 256
    results = outputs_of(name, options, weights, pixels, key)
    arrays = {"inputs/pixel_values": pixels} | {f"outputs/{k}": v for k, v in results.items()}
    facts = {"precision": "exact-f64", "framework": f"timm {timm.__version__}", "code": name}
    arrays["__golden__"] = np.frombuffer(json.dumps(facts).encode(), dtype=np.uint8)
    write_npz(path / "golden-original.npz", arrays)
    write_transformers(path, weights, target, config, prefix)
    if not folder.startswith("dinov2"):
        # As timm writes it: what the name of the architecture says is not said again.
        text = {"architecture": name, "num_classes": len(weights.get("head.bias", ()))}
        text["num_features"] = weights["cls_token"].shape[-1]
        text["pretrained_cfg"] = {"input_size": [3, 6, 6], "fixed_input_size": True}
        (path / "config.json").write_text(json.dumps(text, indent=2, sort_keys=True) + "\n")


def vit(width, heads, **more):
    return ViTConfig(
        **HUGGING_FACE,
        hidden_size=width,
        num_attention_heads=heads,
        intermediate_size=int(width * 1.5),
        attn_implementation="eager",
        **more,
    )


def timm_case():
    options = {"embed_dim": 12, "num_classes": 3}
    case(
        "vit/timm",
        "vit_small_patch16_224",
        options,
        ViTForImageClassification,
        vit(12, 6, num_labels=3),
        "vit.",
    )


def timm_base():
    case(
        "vit/timm_base",
        "vit_tiny_patch16_224",
        {"embed_dim": 6, "num_classes": 0},
        ViTModel,
        vit(6, 3),
        "",
        key="last_hidden_state",
    )


def timm_deit():
    config = DeiTConfig(
        **HUGGING_FACE,
        hidden_size=6,
        num_attention_heads=3,
        intermediate_size=9,
        num_labels=3,
        attn_implementation="eager",
    )
    case(
        "vit/timm_deit",
        "deit_tiny_distilled_patch16_224",
        {"embed_dim": 6, "num_classes": 3},
        DeiTForImageClassificationWithTeacher,
        config,
        "deit.",
    )


def timm_dinov2():
    config = Dinov2Config(
        **HUGGING_FACE,
        hidden_size=6,
        num_attention_heads=3,
        mlp_ratio=2,
        use_mask_token=False,
        attn_implementation="eager",
    )
    case(
        "dinov2/timm",
        "vit_small_patch14_dinov2",
        {"embed_dim": 6, "num_heads": 3, "num_classes": 0, "mlp_ratio": 2},
        Dinov2Model,
        config,
        "",
        key="last_hidden_state",
    )


CASES = {
    "timm": timm_case,
    "timm_base": timm_base,
    "timm_deit": timm_deit,
    "timm_dinov2": timm_dinov2,
}

if __name__ == "__main__":
    for found in sys.argv[1:] or CASES:
        CASES[found]()
