"""Classes of rendered scenes, as `tfverify run --image` finds them and as transformers' processors on Pillow and its
models in float64 do: python Tools/oracle/picture_differential.py TFVERIFY [SEED ...]

A scene is a gradient with shapes, textures and letters, 640 by 480 pixels, written as JPEG (4:4:4, 4:2:0, progressive, grey, CMYK,
each EXIF orientation), PNG (8 and 16 bits, palettes, alpha, interlaced) and WebP (lossy, lossless, alpha). Models have random weights
and other sizes with each seed. Writes nothing but a table; needs pillow and torchvision beside the requirements."""

import importlib.util
import json
import re
import struct
import subprocess
import sys
import tempfile
import zlib
from pathlib import Path

import numpy as np
import torch


def without_operators():
    """torchvision asks for its own operators when it is imported; none is run here."""
    spec = importlib.util.find_spec("torchvision")
    text = (Path(spec.origin).parent / "_meta_registrations.py").read_text()
    library = torch.library.Library("torchvision", "DEF")
    for name in sorted(set(re.findall(r'(?:register_fake\("torchvision::|register_meta\(")(\w+)"', text))):
        library.define(name + "() -> ()")
    return library


LIBRARY = without_operators()

import transformers as tf  # noqa: E402
from exact import golden  # noqa: E402
from PIL import Image, ImageDraw  # noqa: E402
from transformers.image_utils import load_image  # noqa: E402

COMMAND = sys.argv[1]
WORDS = ["a", "cat", "dog", "red", "house", "sky", "of", "blue"]


# --- Scenes ----------------------------------------------------------------------------------


def scene(random, width=640, height=480):
    """RGBA, with parts that light comes through."""
    rows, columns = np.mgrid[0:height, 0:width]
    colours = random.integers(0, 256, (2, 3))
    share = (rows / height * random.random() + columns / width)[..., None] / 2
    pixels = colours[0] * (1 - share) + colours[1] * share
    pixels += 30 * np.sin(columns / random.uniform(3, 40) + rows / random.uniform(3, 40))[..., None]
    pixels += random.normal(0, 6, pixels.shape)
    image = Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).convert("RGBA")
    draw = ImageDraw.Draw(image)
    for _ in range(12):
        x, y, size = random.integers(0, width), random.integers(0, height), random.integers(10, 160)
        colour = tuple(int(c) for c in random.integers(0, 256, 4))
        shape = random.choice(["ellipse", "rectangle", "line", "polygon"])
        corners = [int(x), int(y), int(x + size), int(y + size // 2 + 5)]
        if shape == "polygon":
            draw.polygon([(corners[0], corners[1]), (corners[2], corners[1]), (corners[0], corners[3])], fill=colour)
        elif shape == "line":
            draw.line(corners, fill=colour, width=5)
        else:
            getattr(draw, shape)(corners, fill=colour)
    draw.text((20, 20), "tfkit 123", fill=(255, 255, 255, 255), font_size=60)
    return image


def png(path, pixels, bits, kind, interlaced=False):
    """A PNG that Pillow does not write: rows `[height, width, channels]` in 8 or 16 bits, perhaps in seven passes."""
    passes = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]
    data = b""
    for top, left, down, right in passes if interlaced else [(0, 0, 1, 1)]:
        part = pixels[top::down, left::right]
        if part.size:
            rows = part.astype(">u2" if bits == 16 else "u1")
            data += b"".join(b"\0" + row.tobytes() for row in rows)
    height, width = pixels.shape[:2]

    def chunk(name, body):
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = struct.pack(">IIBBBBB", width, height, bits, kind, 0, 0, int(interlaced))
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b"")
    )


def write_scenes(folder, random):
    """The files, in order."""
    written = []

    def path(name):
        written.append(folder / name)
        return written[-1]

    own, rgb = (lambda: scene(random)), (lambda: scene(random).convert("RGB"))
    rgb().save(path("444.jpg"), quality=90, subsampling=0)
    rgb().save(path("420.jpg"), quality=80, subsampling=2)
    rgb().save(path("422.jpg"), quality=70, subsampling=1)
    rgb().save(path("progressive.jpg"), quality=85, progressive=True)
    rgb().convert("L").save(path("grey.jpg"), quality=88)
    rgb().convert("CMYK").save(path("cmyk.jpg"), quality=92)
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        rgb().save(path(f"exif{orientation}.jpg"), quality=87, exif=exif)
    rgb().save(path("rgb.png"))
    own().save(path("rgba.png"))
    rgb().convert("L").save(path("grey.png"))
    rgb().convert("LA").save(path("grey_alpha.png"))
    rgb().quantize(200).save(path("palette.png"))
    rgb().quantize(13).save(path("palette4.png"), bits=4)
    rgb().convert("1").save(path("bits.png"))
    own().quantize(100).save(path("palette_alpha.png"))
    deep = np.asarray(own()).astype(np.uint32) * 257 + random.integers(0, 200, (480, 640, 4))
    deep = np.minimum(deep, 65535)
    png(path("deep_rgb.png"), deep[..., :3], 16, 2)
    png(path("deep_rgba.png"), deep, 16, 6)
    png(path("deep_grey.png"), deep[..., :1], 16, 0)
    png(path("deep_grey_alpha.png"), deep[..., [0, 3]], 16, 4)
    png(path("interlaced.png"), np.asarray(rgb()), 8, 2, interlaced=True)
    png(path("interlaced_deep.png"), deep[::-1, :, :3], 16, 2, interlaced=True)
    rgb().save(path("lossy.webp"), quality=80)
    rgb().save(path("lossless.webp"), lossless=True)
    own().save(path("alpha.webp"), quality=85)
    own().save(path("alpha_lossless.webp"), lossless=True)
    return written


# --- Models ----------------------------------------------------------------------------------


def plain(random, **more):
    heads = int(random.choice([2, 3]))
    return {
        "hidden_size": heads * 4 * int(random.integers(1, 4)),
        "num_attention_heads": heads,
        "num_hidden_layers": int(random.integers(1, 4)),
        "intermediate_size": int(random.integers(10, 40)),
        "patch_size": int(random.choice([4, 7, 8])),
    } | more


def sized(config, sides):
    """A whole number of patches."""
    return config | {"image_size": config["patch_size"] * sides}


def cases(random):
    """Name, model, processor."""
    sides, labels = int(random.integers(3, 7)), {"num_labels": int(random.integers(3, 12))}

    def vit(config=None):
        return sized(config or plain(random), sides)

    config = vit() | labels
    size = {"height": config["image_size"], "width": config["image_size"]}
    yield "ViT", tf.ViTForImageClassification(tf.ViTConfig(**config)), tf.ViTImageProcessorPil(size=size)
    config = vit() | labels
    deit = tf.DeiTImageProcessorPil(
        size={"height": config["image_size"] + 5, "width": config["image_size"] + 5}, crop_size=config["image_size"]
    )
    yield "DeiT", tf.DeiTForImageClassificationWithTeacher(tf.DeiTConfig(**config)), deit
    yield "DeiT, first token", tf.DeiTForImageClassification(tf.DeiTConfig(**config)), deit
    config = vit() | labels
    bit = tf.BitImageProcessorPil(
        size={"shortest_edge": config["image_size"] + 3},
        crop_size=config["image_size"],
        image_mean=[0.485, 0.456, 0.406],
        image_std=[0.229, 0.224, 0.225],
    )
    yield "DINOv2", tf.Dinov2ForImageClassification(tf.Dinov2Config(**config)), bit
    yield "DINOv2, larger", tf.Dinov2ForImageClassification(tf.Dinov2Config(**config)), tf.BitImageProcessorPil(
        size={"shortest_edge": config["image_size"] + 40},
        crop_size={"height": config["image_size"] + 17, "width": config["image_size"] + 31},
    )
    config |= {"num_register_tokens": 3}
    yield "DINOv2, registers", tf.Dinov2WithRegistersForImageClassification(tf.Dinov2WithRegistersConfig(**config)), bit
    config = vit() | labels | {"num_register_tokens": 2}
    size = {"height": config["image_size"], "width": config["image_size"]}
    dino = tf.DINOv3ViTModel(tf.DINOv3ViTConfig(**config))
    yield "DINOv3 (on torchvision)", dino, tf.DINOv3ViTImageProcessor(size=size)
    config = vit() | labels | {"use_relative_position_bias": True}
    beit = tf.BeitForImageClassification(tf.BeitConfig(**config))
    yield "BEiT", beit, tf.BeitImageProcessorPil(
        size=config["image_size"] + 4, crop_size=config["image_size"], do_center_crop=True
    )
    yield "BEiT, larger", tf.BeitForImageClassification(tf.BeitConfig(**config)), tf.BeitImageProcessorPil(
        size={"height": config["image_size"] + 11, "width": config["image_size"] + 26}
    )
    window = int(random.choice([2, 3, 4]))
    swin = labels | {
        "image_size": 4 * window * 4,
        "patch_size": 4,
        "embed_dim": 8,
        "depths": [2, 2],
        "num_heads": [2, 4],
        "window_size": window,
    }
    size = {"height": swin["image_size"], "width": swin["image_size"]}
    yield "Swin", tf.SwinForImageClassification(tf.SwinConfig(**swin)), tf.ViTImageProcessorPil(size=size)
    yield "Swin v2", tf.Swinv2ForImageClassification(tf.Swinv2Config(**swin)), tf.ViTImageProcessorPil(size=size)
    size = {"height": swin["image_size"] + 13, "width": swin["image_size"] + 22}
    yield "Swin, larger", tf.SwinForImageClassification(tf.SwinConfig(**swin)), tf.ViTImageProcessorPil(size=size)
    yield "Swin v2, larger", tf.Swinv2ForImageClassification(tf.Swinv2Config(**swin)), tf.ViTImageProcessorPil(size=size)
    config = vit(plain(random, mask_ratio=0.0))
    size = {"height": config["image_size"], "width": config["image_size"]}
    yield "MAE, encoder", tf.ViTMAEModel(tf.ViTMAEConfig(**config)), tf.ViTImageProcessorPil(size=size)
    text = {k: v for k, v in plain(random).items() if k != "patch_size"} | {
        "vocab_size": 10, "max_position_embeddings": 12, "eos_token_id": 9, "bos_token_id": 8, "pad_token_id": 9,
    }
    picture = vit(plain(random))
    clip = tf.CLIPConfig(text_config=text, vision_config=picture, projection_dim=6)
    yield "CLIP", tf.CLIPModel(clip), tf.CLIPImageProcessorPil(
        size={"shortest_edge": picture["image_size"]}, crop_size=picture["image_size"]
    )
    config = vit()
    siglip = tf.SiglipConfig(vision_config=config, **labels)
    size = {"height": config["image_size"], "width": config["image_size"]}
    yield "SigLIP", tf.SiglipForImageClassification(siglip), tf.SiglipImageProcessorPil(size=size)
    pair = tf.SiglipConfig(
        text_config=text | {"hidden_size": config["hidden_size"], "projection_size": config["hidden_size"],
                            "num_attention_heads": config["num_attention_heads"]},
        vision_config=config,
    )
    yield "SigLIP, texts", tf.SiglipModel(pair), tf.SiglipImageProcessorPil(size=size)
    config = {k: v for k, v in config.items() if k != "image_size"} | {"num_patches": sides**2}
    siglip2 = tf.Siglip2Config(vision_config=config, **labels)
    yield "SigLIP 2", tf.Siglip2ForImageClassification(siglip2), tf.Siglip2ImageProcessorPil(
        patch_size=config["patch_size"], max_num_patches=int(random.integers(20, 60))
    )


def save(model, processor, folder, generator):
    """The model with random weights, its processor and, for texts, a tokenizer of few words."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.15 * torch.randn(parameter.shape, generator=generator))
    model.eval().save_pretrained(folder)
    processor.save_pretrained(folder)
    if type(model).__name__ not in ("CLIPModel", "SiglipModel"):
        return None
    end = model.config.text_config.eos_token_id
    vocabulary = {word: number for number, word in enumerate(WORDS)} | {"<end>": end}
    added = {"content": "<end>", "id": end, "special": True, "single_word": False, "lstrip": False, "rstrip": False,
             "normalized": False}
    tokenizer = {
        "version": "1.0", "truncation": None, "padding": None, "normalizer": None, "decoder": None,
        "model": {"type": "WordLevel", "unk_token": "a", "vocab": vocabulary},
        "pre_tokenizer": {"type": "WhitespaceSplit"}, "added_tokens": [added],
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [{"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": "<end>", "type_id": 0}}],
            "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
            "special_tokens": {"<end>": {"id": "<end>", "ids": [end], "tokens": ["<end>"]}},
        },
    }  # fmt: skip
    Path(folder, "tokenizer.json").write_text(json.dumps(tokenizer))
    Path(folder, "tokenizer_config.json").write_text('{"pad_token": "<end>", "eos_token": "<end>"}')
    return tf.PreTrainedTokenizerFast(tokenizer_file=str(Path(folder, "tokenizer.json")), pad_token="<end>")


TEXTS = ["a red cat", "a house of blue sky", "dog"]


def expected(model, processor, tokenizer, image):
    """Named outputs in float64."""
    inputs = {k: np.asarray(v) for k, v in processor(image, return_tensors="np").items()}
    if tokenizer:
        siglip = "siglip" in model.config.model_type
        most = model.config.text_config.max_position_embeddings
        padding = {"padding": "max_length", "max_length": most} if siglip else {"padding": True}
        found = tokenizer(TEXTS, return_tensors="np", **padding)
        inputs["input_ids"] = found["input_ids"]
        if not siglip:  # SigLIP's published tokenizers give ids alone
            inputs["attention_mask"] = found["attention_mask"]
    if model.config.model_type == "vit_mae":  # nothing is left out, or put elsewhere
        count = (model.config.image_size // model.config.patch_size) ** 2
        inputs["noise"] = np.arange(float(count))[None]
    outputs, _ = golden.run_lifted(model, inputs, hidden_states=False)
    return outputs


def ours(folder, files, precision, texts):
    with tempfile.NamedTemporaryFile(suffix=".npz") as out:
        command = [COMMAND, "run", str(folder), "--precision", precision, "-o", out.name, "-q", "--force"]
        for file in files:
            command += ["--image", str(file)]
        for text in texts:
            command += ["--text", text]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(f"{folder}: {done.stderr}")
        return dict(np.load(out.name))


# torchvision resizes numbers of 32 bits, and what it makes of a picture is not the same bits.
BOUNDS = {"DINOv3 (on torchvision)": 1e-5}


def differ(seed):
    random, generator = np.random.default_rng(seed), torch.Generator().manual_seed(seed)
    bad = 0
    with tempfile.TemporaryDirectory() as place:
        pictures = Path(place, "pictures")
        pictures.mkdir()
        files = write_scenes(pictures, random)
        images = [load_image(str(file)) for file in files]
        for name, model, processor in cases(random):
            folder = Path(place, "model")
            folder.mkdir(exist_ok=True)
            for old in folder.iterdir():
                old.unlink()
            tokenizer = save(model, processor, folder, generator)
            model = golden.load(str(folder))
            key = "logits_per_image" if tokenizer else "logits" if hasattr(model, "num_labels") and "For" in type(
                model).__name__ else "last_hidden_state"
            double = ours(folder, files, "f64", TEXTS if tokenizer else [])
            single = ours(folder, files, "f32", TEXTS if tokenizer else [])
            largest, narrow, tops, close = 0.0, 0.0, 0, 1e9
            for index, image in enumerate(images):
                wanted = expected(model, processor, tokenizer, image)[key][0]
                scale = np.abs(wanted).max()
                error = np.abs(double[key][index] - wanted).max() / scale
                if error > BOUNDS.get(name, 1e-10):
                    print(f"   {name}: {files[index].name} {error:.1e}")
                largest = max(largest, error)
                narrow = max(narrow, np.abs(single[key][index] - wanted).max() / scale)
                tops += int(single[key][index].reshape(-1).argmax() == wanted.reshape(-1).argmax())
                close = min(close, float(np.diff(np.sort(wanted.reshape(-1))[-2:])[0]))
            fine = largest <= BOUNDS.get(name, 1e-10) and narrow <= 2e-5 and tops == len(files)
            bad += not fine
            print(f"{seed:4} {name:26} {key:18} f64 {largest:.1e} f32 {narrow:.1e} likeliest {tops}/{len(files)}"
                  f" (least lead {close:.1e}){'' if fine else '  DIFFERENT'}", flush=True)
    return bad


if __name__ == "__main__":
    wrong = sum(differ(seed) for seed in [int(a) for a in sys.argv[2:]] or [0])
    print("different:", wrong)
    sys.exit(wrong > 0)
