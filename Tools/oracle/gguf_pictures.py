"""Writes Fixtures/{clip,siglip,llava}/gguf_names* and their files in Fixtures/containers/gguf/models:

    python Tools/oracle/gguf_pictures.py FOLDER PYTHON [CASE ...]

FOLDER is a copy of llama.cpp, as for gguf_names.py; its script for encoders of pictures
(tools/mtmd/legacy-models/convert_image_encoder_to_gguf.py), which is the only one that writes the projector "mlp",
needs PYTHON with transformers 4.57.3, whose modules have the names that it knows, gguf and torch.

No forward pass of llama.cpp runs here: the golden is that of transformers for the same weights. All of them are
such that half precision holds them, which that script stores convolutions and projectors in. It knows the activation
"gelu" and none other than quick_gelu beside it; llama.cpp's code for it is the tanh form, so that is what goldens of
"gelu" have.
"""

import json
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import gguf
import numpy as np
import torch
from safetensors.torch import load_file, save_file
from transformers import (
    CLIPConfig,
    CLIPModel,
    CLIPVisionConfig,
    CLIPVisionModel,
    CLIPVisionModelWithProjection,
    LlamaConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    SiglipVisionConfig,
    SiglipVisionModel,
)

import encoders
import llava
from exact import FIXTURES, exact_outputs, write_golden
from fixture import randomise, rewrite_config, rewrite_weights
from images import SIZES, pictures
from towers import TEXT

SCRIPT = "tools/mtmd/legacy-models/convert_image_encoder_to_gguf.py"
WIDE = SIZES | {"intermediate_size": 10, "layer_norm_eps": 1e-3}
CLIP = WIDE | {"projection_dim": 4}
SIGLIP = ["--clip-model-is-siglip", "--image-mean", *3 * [0.5], "--image-std", *3 * [0.5]]
TANH = {"hidden_act": "gelu_pytorch_tanh"}


@dataclass
class Case:
    tower: str  # clip, projected, siglip
    config: dict = field(default_factory=dict)  # what differs from the sizes
    layers: list | None = None  # that LLaVA reads; None: no LLaVA
    said: bool = True  # whether the file says them


CASES = {
    "clip/gguf_names_vision": Case("clip"),
    "clip/gguf_names_projection": Case("projected", TANH),
    "siglip/gguf_names_vision": Case("siglip", TANH),
    "siglip/gguf_names_headless": Case("siglip", {"vision_use_head": False, "hidden_act": "quick_gelu"}),
    "llava/gguf_names": Case("clip", {"num_hidden_layers": 3}, [-2]),
    "llava/gguf_names_layers": Case("clip", {"num_hidden_layers": 3} | TANH, [0, 2, 3]),
    # Of what it does not say, the last state but one of what is left is read.
    "llava/gguf_names_unsaid": Case("clip", {"num_hidden_layers": 4}, [2], said=False),
    "llava/gguf_names_siglip": Case("siglip", TANH, [-1]),
}


def halves(model, seed):
    """Random weights that half precision holds."""
    randomise(model, seed, encoders.centre)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(parameter.half().float())
    return model.eval()


def tower_config(case):
    if case.tower == "siglip":
        return SiglipVisionConfig(**WIDE | case.config, attn_implementation="eager")
    return CLIPVisionConfig(**CLIP | case.config, attn_implementation="eager")


def folder_of(model, folder):
    """A saved model, whose activation is called as llama.cpp's script knows it."""
    model.save_pretrained(folder)

    def named(config):
        for part in (config, config.get("vision_config", {})):
            if part.get("hidden_act") == TANH["hidden_act"]:
                part["hidden_act"] = "gelu"
        return config

    rewrite_config(folder, named)
    return folder


def prefixed(weights):
    """The names of transformers 4."""
    return {k if k.startswith("vision_model.") else f"vision_model.{k}": v for k, v in weights.items()}


def as_stored(weights):
    """Convolutions and projectors in half precision, as the script writes them."""

    def is_half(name, tensor):
        return tensor.ndim == 4 or tensor.ndim == 2 and name.startswith("multi_modal_projector.")

    return {k: v.half() if is_half(k, v) else v for k, v in weights.items()}


def run_script(source, target, *options):
    """By llama.cpp's script, in single precision."""
    with tempfile.TemporaryDirectory() as output:
        command = [PYTHON, FOLDER / SCRIPT, "-m", source, "-o", output, "--use-f32", *options]
        subprocess.run(list(map(str, command)), check=True, stdout=subprocess.DEVNULL)
        (file,) = Path(output).glob("*.gguf")
        shutil.move(file, target)


def words(folder):
    """What its processor wants beside a model of two towers."""
    tokens = ["<|startoftext|>", "<|endoftext|>", *"abcdefghijklmno"]
    (folder / "vocab.json").write_text(json.dumps({token: id for id, token in enumerate(tokens)}))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    settings = {"image_processor_type": "CLIPImageProcessor", "feature_extractor_type": "CLIPFeatureExtractor"}
    (folder / "preprocessor_config.json").write_text(json.dumps(settings))


def write_tower(name, case, seed, target, temporary):
    """A tower alone; the model with the golden, and its inputs."""
    config = tower_config(case)
    if case.tower == "projected":
        both = CLIPConfig(text_config=TEXT, vision_config=config.to_dict(), projection_dim=4)
        whole = halves(CLIPModel(both), seed)
        model = CLIPVisionModelWithProjection(config)
        model.load_state_dict(
            {k: v for k, v in whole.state_dict().items() if k.startswith("vis")}
        )
        words(folder_of(whole, temporary / "source"))
        run_script(temporary / "source", target, "--vision-only")
        return model.eval()
    kind = SiglipVisionModel if case.tower == "siglip" else CLIPVisionModel
    model = halves(kind(config), seed)
    rewrite_weights(folder_of(model, temporary / "source"), prefixed)
    siglip = SIGLIP if case.tower == "siglip" else []
    run_script(temporary / "source", target, "--clip-model-is-vision", "--vision-only", *siglip)
    return model


def write_llava(name, case, seed, target, temporary):
    """A tower and a projector; the golden is that of the whole model's vectors of pictures."""
    tower = tower_config(case)
    whole = LlavaForConditionalGeneration(
        LlavaConfig(
            vision_config=tower,
            text_config=LlamaConfig(**llava.LLAMA),
            image_token_index=llava.IMAGE,
            attn_implementation="eager",
            vision_feature_layer=case.layers if len(case.layers) > 1 else case.layers[0],
            vision_feature_select_strategy="full" if case.tower == "siglip" else "default",
            projector_hidden_act="gelu_pytorch_tanh",
        )
    )
    halves(whole, seed)
    whole.save_pretrained(temporary / "whole")
    stored = load_file(temporary / "whole" / "model.safetensors")
    parts = {
        start: {k.removeprefix(cut): v for k, v in stored.items() if k.startswith(start)}
        for start, cut in (("vision_tower.", "vision_tower."), ("multi_modal_projector.", ""))
    }
    source = temporary / "source"
    source.mkdir()
    save_file(prefixed(parts["vision_tower."]), source / "model.safetensors", metadata={"format": "pt"})
    said = {"vision_feature_layer": case.layers} if case.said else {}
    architecture = {"architectures": ["SiglipVisionModel" if case.tower == "siglip" else "CLIPVisionModel"]}
    activation = {"hidden_act": "gelu"} if TANH.items() <= case.config.items() else {}
    (source / "config.json").write_text(json.dumps(tower.to_dict() | said | architecture | activation))
    torch.save(parts["multi_modal_projector."], temporary / "llava.projector")
    siglip = SIGLIP if case.tower == "siglip" else []
    projector = ["--llava-projector", temporary / "llava.projector"]
    run_script(source, target, "--clip-model-is-vision", *projector, *siglip)
    return whole, stored


def features(whole, random):
    """Vectors of pictures, from texts that are nothing else."""
    own = pictures(random, whole.config.vision_config)
    ids = np.full((len(own["pixel_values"]), llava.count(whole.config)), llava.IMAGE)
    return own, exact_outputs(whole, own | {"input_ids": ids, "attention_mask": np.ones_like(ids)})


def write_features(folder, whole, stored, case):
    """What is in the file, as a folder under transformers' names."""
    vision = whole.config.vision_config
    total = vision.num_hidden_layers
    layers = [layer if layer >= 0 else layer + total + 1 for layer in case.layers]
    kept = max(layers) if case.said else total - 1
    target = folder / "huggingface"
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)

    def is_kept(name):
        if name.startswith("language_model.") or "post_layernorm" in name or name == "lm_head.weight":
            return False
        number = name.partition("encoder.layers.")[2].partition(".")[0]
        return not number or int(number) < kept

    weights = {k: v for k, v in stored.items() if is_kept(k)}
    save_file(as_stored(weights), target / "model.safetensors", metadata={"format": "pt"})
    settings = whole.config.to_dict()
    for key in ("id2label", "label2id"):  # which save_pretrained leaves out
        settings["vision_config"].pop(key, None)
    config = {
        "architectures": ["LlavaImageFeatures"],
        "model_type": "llava",
        "projector_hidden_act": "gelu_pytorch_tanh",
        "text_config": {"hidden_size": whole.config.text_config.hidden_size},
        "vision_config": settings["vision_config"] | {"num_hidden_layers": kept},
        "vision_feature_layer": layers if len(layers) > 1 else layers[0],
        "vision_feature_select_strategy": settings["vision_feature_select_strategy"],
    }
    (target / "config.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")


def tensors(file):
    """Name to array, in single precision."""
    return {
        tensor.name: torch.from_numpy(np.array(tensor.data, np.float32))
        for tensor in gguf.GGUFReader(file).tensors
    }


def write(name):
    case, folder, seed = CASES[name], FIXTURES / name, len(name)
    folder.mkdir(parents=True, exist_ok=True)
    family, _, end = name.partition("/gguf_names")
    target = FIXTURES / "containers" / "gguf" / "models" / f"{family}{end}.gguf"
    random = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as temporary:
        if case.layers is None:
            model = write_tower(name, case, seed, target, Path(temporary))
            model.save_pretrained(folder / "huggingface")
            rewrite_weights(folder / "huggingface", as_stored)
            inputs = pictures(random, model.config)
            outputs = exact_outputs(model, inputs)
        else:
            model, stored = write_llava(name, case, seed, target, Path(temporary))
            write_features(folder, model, stored, case)
            inputs, outputs = features(model, random)
            outputs = {"image_hidden_states": outputs["image_hidden_states"]}
    shutil.copy(folder / "huggingface" / "config.json", folder / "config.json")
    save_file(tensors(target), folder / "model.safetensors", metadata={"format": "pt"})
    write_golden(folder / "golden.npz", model, inputs, outputs, seed=seed)
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    print(f"{name:36}{size:8} bytes, {target.name} {target.stat().st_size}")


if __name__ == "__main__":
    FOLDER, PYTHON = Path(sys.argv[1]).resolve(), sys.argv[2]
    for given in sys.argv[3:] or CASES:
        write(given)
