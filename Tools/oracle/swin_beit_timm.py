"""Writes Fixtures/swin/timm, timm_v2, timm_original, timm_original_v2 and Fixtures/beit/timm, timm_base:
python Tools/oracle/swin_beit_timm.py [CASE ...], then converted.py on them.

The models are timm's (1.0.31), and so are their files, but for `timm_original` and `timm_original_v2`: names as the authors'
code has them, which timm's own filter reads as the others. transformers' models get the same weights by the tables below.
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
from timm.models import swin_transformer, swin_transformer_v2
from transformers import (
    BeitConfig,
    BeitForImageClassification,
    BeitModel,
    SwinConfig,
    SwinForImageClassification,
    Swinv2Config,
    Swinv2ForImageClassification,
)


def centre(name):
    return (1, 0.3) if "norm" in name and name.endswith("weight") else (0, 0.3)


# --- Names: timm's as transformers' ----------------------------------------------------------

SWIN_BLOCK = {
    "norm1": "layernorm_before",
    "norm2": "layernorm_after",
    "attn.proj": "attention.output.dense",
    "attn.cpb_mlp.0": "attention.self.continuous_position_bias_mlp.0",
    "attn.cpb_mlp.2": "attention.self.continuous_position_bias_mlp.2",
    "attn.relative_position_bias_table": "attention.self.relative_position_bias_table",
    "attn.logit_scale": "attention.self.logit_scale",
    "mlp.fc1": "intermediate.dense",
    "mlp.fc2": "output.dense",
}
BEIT_BLOCK = {
    "norm1": "layernorm_before",
    "norm2": "layernorm_after",
    "gamma_1": "lambda_1",
    "gamma_2": "lambda_2",
    "attn.proj": "attention.output.dense",
    "attn.relative_position_bias_table": (
        "attention.attention.relative_position_bias.relative_position_bias_table"
    ),
    "mlp.fc1": "intermediate.dense",
    "mlp.fc2": "output.dense",
}


def parts(layer, attention, stem, dot, tensor):
    """Queries, keys and values, or the biases of two of them."""
    names = {"attn.q_bias": ["query.bias"], "attn.v_bias": ["value.bias"]}.get(
        stem, [f"{part}{dot}" for part in ("query", "key", "value")]
    )
    return {f"{layer}{attention}{n}": piece.clone() for n, piece in zip(names, tensor.chunk(len(names)))}


def swin_names(weights, model):
    table = {
        "patch_embed.proj": "embeddings.patch_embeddings.projection",
        "patch_embed.norm": "embeddings.norm",
        "norm": "layernorm",
    }
    found = {}
    for name, tensor in weights.items():
        stem, _, kind = name.rpartition(".") if name.endswith((".weight", ".bias")) else (name, "", "")
        dot = "." + kind if kind else ""
        block = re.fullmatch(r"layers\.(\d+)\.blocks\.(\d+)\.(.*)", stem)
        merging = re.fullmatch(r"layers\.(\d+)\.downsample\.(.*)", stem)
        if block:
            layer = f"{model}encoder.layers.{block[1]}.blocks.{block[2]}."
            if block[3] in ("attn.qkv", "attn.q_bias", "attn.v_bias"):
                found |= parts(layer, "attention.self.", block[3], dot, tensor)
            else:
                found[layer + SWIN_BLOCK[block[3]] + dot] = tensor
        elif merging:
            found[f"{model}encoder.layers.{int(merging[1]) - 1}.downsample.{merging[2]}{dot}"] = tensor
        elif stem == "head.fc":
            found["classifier" + dot] = tensor
        else:
            found[model + table[stem] + dot] = tensor
    return found


def beit_names(weights, model):
    table = {
        "patch_embed.proj": "embeddings.patch_embeddings.projection",
        "cls_token": "embeddings.cls_token",
        "fc_norm": "pooler.layernorm",
    }
    found = {}
    for name, tensor in weights.items():
        stem, _, kind = name.rpartition(".") if name.endswith((".weight", ".bias")) else (name, "", "")
        dot = "." + kind if kind else ""
        block = re.fullmatch(r"blocks\.(\d+)\.(.*)", stem)
        if block:
            layer = f"{model}encoder.layer.{block[1]}."
            if block[2] in ("attn.qkv", "attn.q_bias", "attn.v_bias"):
                found |= parts(layer, "attention.attention.", block[2], dot, tensor)
            else:
                found[layer + BEIT_BLOCK[block[2]] + dot] = tensor
        elif stem == "head":
            found["classifier" + dot] = tensor
        else:
            found[model + table[stem] + dot] = tensor
    return found


# --- Names as the authors' code has them -----------------------------------------------------


def original(weights, model, module):
    """The same weights and the buffers that were saved beside them; timm's filter must give timm's back."""
    found = {}
    for name, tensor in weights.items():
        name = re.sub(r"layers\.(\d+)\.downsample", lambda m: f"layers.{int(m[1]) - 1}.downsample", name)
        found[name.replace("head.fc.", "head.")] = tensor.clone()
    for name, part in model.named_modules():
        if hasattr(part, "relative_position_index"):
            found[name + ".relative_position_index"] = part.relative_position_index.clone().long()
        if getattr(part, "attn_mask", None) is not None:
            found[name + ".attn_mask"] = part.attn_mask.float().clone()
    read = module.checkpoint_filter_fn({"model": dict(found)}, model)
    assert set(read) == set(weights) and all(torch.equal(read[k], weights[k]) for k in weights)
    return found


# --- From a case to its folder ---------------------------------------------------------------


def outputs_of(name, options, weights, pixels, key):
    """What timm computes, in float64."""
    with golden.lifted() as offenders, torch.no_grad():
        model = timm.create_model(name, **options).eval()
        model.load_state_dict({k: v.double() for k, v in weights.items()}, assign=True)
        model.eval()
        pictures = torch.from_numpy(pixels)
        result = model(pictures) if key == "logits" else model.forward_features(pictures)
    assert not offenders, offenders
    if result.dim() == 4:  # Swin's rows and columns
        result = result.flatten(1, 2)
    return {key: result.numpy()}


def write_transformers(path, weights, target, config):
    """The same weights in transformers' model, by way of a file as it writes them: modules have other names."""
    with tempfile.TemporaryDirectory() as scratch:
        save_file(weights, Path(scratch) / "model.safetensors", {"format": "pt"})
        config.save_pretrained(scratch)
        converted, report = target.from_pretrained(scratch, output_loading_info=True)
    assert not report["missing_keys"] and not report["unexpected_keys"], report
    write_huggingface(path, converted)


def case(folder, name, options, names, target, config, prefix, module=None, config_of_timm=False):
    path, seed = FIXTURES / folder, len(folder) + len(name)
    path.mkdir(parents=True, exist_ok=True)
    model = timm.create_model(name, **options).eval()
    randomise(model, seed, centre)
    weights = {k: v.clone() for k, v in model.state_dict().items()}
    stored = original(weights, model, module) if module else weights
    save_file(stored, path / "model.safetensors")
    (path / "model.safetensors").chmod(0o644)
    size = options["img_size"]
    pixels = np.random.default_rng(seed).integers(-500, 500, (2, 3, size, size)) / 256
    key = "logits" if options["num_classes"] else "last_hidden_state"
    results = outputs_of(name, options, weights, pixels, key)
    arrays = {"inputs/pixel_values": pixels} | {f"outputs/{k}": v for k, v in results.items()}
    facts = {"precision": "exact-f64", "framework": f"timm {timm.__version__}", "code": name}
    arrays["__golden__"] = np.frombuffer(json.dumps(facts).encode(), dtype=np.uint8)
    write_npz(path / "golden-original.npz", arrays)
    write_transformers(path, names(weights, prefix), target, config)
    if config_of_timm:
        text = {"architecture": name, "num_classes": options["num_classes"]}
        text["pretrained_cfg"] = {"input_size": [3, size, size], "fixed_input_size": True}
        (path / "config.json").write_text(json.dumps(text, indent=2, sort_keys=True) + "\n")


SWIN = {"img_size": 16, "patch_size": 2, "embed_dim": 4, "num_heads": (1, 2), "mlp_ratio": 1.5}


def swin(config=SwinConfig, **more):
    return config(
        image_size=16,
        patch_size=2,
        embed_dim=4,
        num_heads=[1, 2],
        mlp_ratio=1.5,
        layer_norm_eps=1e-5,
        attn_implementation="eager",
        **more,
    )


def first(folder, labels, target, prefix, **more):
    options = SWIN | {"depths": (2, 2), "window_size": 2, "num_classes": labels}
    config = swin(depths=[2, 2], window_size=2, **({"num_labels": labels} if labels else {}))
    case(folder, "swin_tiny_patch4_window7_224", options, swin_names, target, config, prefix, **more)


def second(folder, **more):
    options = SWIN | {"depths": (1, 2), "window_size": 4, "num_classes": 3}
    config = swin(Swinv2Config, depths=[1, 2], window_size=4, num_labels=3, pretrained_window_sizes=[0, 0])
    name, target = "swinv2_tiny_window8_256", Swinv2ForImageClassification
    case(folder, name, options, swin_names, target, config, "swinv2.", **more)


def beit(folder, labels, target, prefix):
    options = {"img_size": 6, "patch_size": 2, "embed_dim": 6, "depth": 2, "num_heads": 3, "mlp_ratio": 1.5}
    config = BeitConfig(
        image_size=6,
        patch_size=2,
        hidden_size=6,
        num_hidden_layers=2,
        num_attention_heads=3,
        intermediate_size=9,
        layer_norm_eps=1e-6,
        use_relative_position_bias=True,
        attn_implementation="eager",
        **({"num_labels": labels} if labels else {}),
    )
    name = "beit_base_patch16_224"
    case(folder, name, options | {"num_classes": labels}, beit_names, target, config, prefix)


CASES = {
    "swin": lambda: first("swin/timm", 3, SwinForImageClassification, "swin.", config_of_timm=True),
    "swin_original": lambda: first(
        "swin/timm_original", 3, SwinForImageClassification, "swin.", module=swin_transformer
    ),
    "swin_v2": lambda: second("swin/timm_v2"),
    "swin_original_v2": lambda: second("swin/timm_original_v2", module=swin_transformer_v2),
    "beit": lambda: beit("beit/timm", 3, BeitForImageClassification, "beit."),
    "beit_base": lambda: beit("beit/timm_base", 0, BeitModel, ""),
}

if __name__ == "__main__":
    for found in sys.argv[1:] or CASES:
        CASES[found]()
