"""Writes Fixtures/clip/openclip and openai: python Tools/oracle/clip_openclip.py, then converted.py on both.

The models are those of open_clip 3.3.0, and so are the files: the weights that its training code saves, and the
config from which it builds a model; `openai` has the activation and the numbers beside the weights that OpenAI's files
have, under the same names. transformers' CLIP gets the same weights by the table below.
"""

import importlib.util
import json
import re
import sys
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file

from exact import FIXTURES, golden
from fixture import randomise
from converted import write_huggingface


def without_operators():
    """torchvision asks for its own operators when it is imported; no model here runs one."""
    spec = importlib.util.find_spec("torchvision")
    text = (Path(spec.origin).parent / "_meta_registrations.py").read_text()
    library = torch.library.Library("torchvision", "DEF")
    pattern = r'(?:register_fake\("torchvision::|register_meta\(")(\w+)"'
    for name in sorted(set(re.findall(pattern, text))):
        library.define(name + "() -> ()")
    return library


LIBRARY = without_operators()

import open_clip  # noqa: E402
from open_clip.model import CLIP  # noqa: E402
from transformers import CLIPConfig, CLIPModel  # noqa: E402

CONFIG = {
    "embed_dim": 5,
    "vision_cfg": {
        "image_size": 6,
        "layers": 2,
        "width": 8,
        "head_width": 4,
        "patch_size": 2,
        "mlp_ratio": 1.5,
    },
    "text_cfg": {
        "context_length": 7,
        "vocab_size": 17,
        "width": 6,
        "heads": 3,
        "layers": 1,
        "mlp_ratio": 1.0,
    },
}
CASES = {"openclip": {}, "openai": {"quick_gelu": True}}


def centre(name):
    return (1, 0.3) if ".ln_" in name and name.endswith("weight") else (0, 0.3)


def inputs(seed):
    random = np.random.default_rng(seed)
    ids = random.integers(0, 15, (3, 7))
    ids[np.arange(3), [6, 4, 2]] = 16
    return {"input_ids": ids, "pixel_values": random.integers(-500, 500, (2, 3, 6, 6)) / 256}


def run_original(config, weights, given):
    """Cosines times the scale, in float64."""
    with golden.lifted() as offenders, torch.no_grad():
        model = CLIP(**config).eval()
        model.load_state_dict({name: tensor.double() for name, tensor in weights.items()}, assign=True)
        images = model.encode_image(torch.from_numpy(given["pixel_values"]), normalize=True)
        texts = model.encode_text(torch.from_numpy(given["input_ids"]), normalize=True)
        logits = model.logit_scale.exp() * texts @ images.T
    assert not offenders, offenders
    outputs = {
        "logits_per_text": logits,
        "logits_per_image": logits.T.contiguous(),
        "text_embeds": texts,
        "image_embeds": images,
    }
    return {name: tensor.numpy() for name, tensor in outputs.items()}


def tower(weights, prefix):
    """Blocks under transformers' names."""
    names = {
        "ln_1": "layer_norm1",
        "ln_2": "layer_norm2",
        "attn.out_proj": "self_attn.out_proj",
        "mlp.c_fc": "mlp.fc1",
        "mlp.c_proj": "mlp.fc2",
    }
    found = {}
    for name, tensor in weights.items():
        match = re.fullmatch(re.escape(prefix) + r"resblocks\.(\d+)\.(.*?)[._](weight|bias)", name)
        if not match:
            continue
        layer, module, kind = match.groups()
        inner = f"encoder.layers.{layer}."
        if module == "attn.in_proj":
            for part, piece in zip("qkv", tensor.chunk(3)):
                found[f"{inner}self_attn.{part}_proj.{kind}"] = piece.clone()
        else:
            found[f"{inner}{names[module]}.{kind}"] = tensor
    return found


def convert(config, weights):
    text, vision = config["text_cfg"], config["vision_cfg"]
    shared = {"hidden_act": "quick_gelu" if config.get("quick_gelu") else "gelu"}
    converted = CLIPModel(
        CLIPConfig(
            projection_dim=config["embed_dim"],
            text_config=shared
            | {
                "vocab_size": text["vocab_size"],
                "max_position_embeddings": text["context_length"],
                "hidden_size": text["width"],
                "num_hidden_layers": text["layers"],
                "num_attention_heads": text["heads"],
                "intermediate_size": int(text["width"] * text["mlp_ratio"]),
                "bos_token_id": 0,
                "eos_token_id": 2,  # the largest id, as the original has it
            },
            vision_config=shared
            | {
                "hidden_size": vision["width"],
                "num_hidden_layers": vision["layers"],
                "num_attention_heads": vision["width"] // vision["head_width"],
                "intermediate_size": int(vision["width"] * vision["mlp_ratio"]),
                "image_size": vision["image_size"],
                "patch_size": vision["patch_size"],
            },
            attn_implementation="eager",
        )
    )
    renamed = {
        "logit_scale": weights["logit_scale"],
        "text_projection.weight": weights["text_projection"].T,
        "visual_projection.weight": weights["visual.proj"].T,
        "text_model.embeddings.token_embedding.weight": weights["token_embedding.weight"],
        "text_model.embeddings.position_embedding.weight": weights["positional_embedding"],
        "vision_model.embeddings.class_embedding": weights["visual.class_embedding"],
        "vision_model.embeddings.patch_embedding.weight": weights["visual.conv1.weight"],
        "vision_model.embeddings.position_embedding.weight": weights["visual.positional_embedding"],
    }
    for kind in ("weight", "bias"):
        renamed[f"text_model.final_layer_norm.{kind}"] = weights[f"ln_final.{kind}"]
        renamed[f"vision_model.pre_layrnorm.{kind}"] = weights[f"visual.ln_pre.{kind}"]
        renamed[f"vision_model.post_layernorm.{kind}"] = weights[f"visual.ln_post.{kind}"]
    renamed |= {"text_model." + k: v for k, v in tower(weights, "transformer.").items()}
    renamed |= {"vision_model." + k: v for k, v in tower(weights, "visual.transformer.").items()}
    converted.load_state_dict({name: tensor.contiguous() for name, tensor in renamed.items()})
    return converted


def write(case):
    folder, config = FIXTURES / "clip" / case, CONFIG | CASES[case]
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(len(case))
    original = CLIP(**config).eval()
    randomise(original, len(case), centre)
    weights = {name: tensor.clone() for name, tensor in original.state_dict().items()}
    given = inputs(len(case))
    write_golden_original(folder, given, run_original(config, weights, given))
    write_huggingface(folder, convert(config, weights))
    if case == "openai":
        sizes = {"input_resolution": 6, "context_length": 7, "vocab_size": 17}
        numbers = {name: torch.tensor(size) for name, size in sizes.items()}
        torch.save(dict(weights) | numbers, folder / "pytorch_model.bin")
    else:
        save_file(weights, folder / "model.safetensors")
        (folder / "model.safetensors").chmod(0o644)
        (folder / "config.json").unlink()
        text = json.dumps({"model_cfg": config, "preprocess_cfg": {}}, indent=2, sort_keys=True)
        (folder / "open_clip_config.json").write_text(text + "\n")


def write_golden_original(folder, given, outputs):
    from exact import write_npz

    arrays = {f"inputs/{name}": array for name, array in given.items()}
    arrays |= {f"outputs/{name}": array for name, array in outputs.items()}
    facts = {"precision": "exact-f64", "framework": f"open_clip {open_clip.__version__}"}
    text = json.dumps(facts | {"code": "CLIP"})
    arrays["__golden__"] = np.frombuffer(text.encode(), dtype=np.uint8)
    write_npz(folder / "golden-original.npz", arrays)


if __name__ == "__main__":
    for name in sys.argv[1:] or CASES:
        write(name)
