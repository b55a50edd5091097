"""Writes Fixtures/pictures/processors.json and processed.npz: settings of image processors, and what transformers makes of
pictures with them, by Pillow and numpy where there is such a class."""

import json

import numpy as np
from clip_openclip import LIBRARY  # noqa: F401 (before transformers, which imports torchvision)
from exact import FIXTURES
from transformers import (
    BitImageProcessorPil,
    CLIPImageProcessorPil,
    DeiTImageProcessorPil,
    DINOv3ViTImageProcessor,
    Siglip2ImageProcessorPil,
    SiglipImageProcessorPil,
    ViTImageProcessorPil,
)
from transformers.image_utils import load_image

FOLDER = FIXTURES / "pictures"
WIDE = "lossless.webp"

CASES = {
    "vit": (ViTImageProcessorPil, {"size": {"height": 8, "width": 6}}, WIDE),
    "vit_number": (ViTImageProcessorPil, {"size": 9, "resample": 3}, WIDE),
    "vit_nearest": (ViTImageProcessorPil, {"size": 9, "resample": 0, "do_rescale": False}, WIDE),
    "vit_lanczos": (ViTImageProcessorPil, {"size": [7, 30], "resample": 1, "image_mean": 0.25}, WIDE),
    "vit_box": (ViTImageProcessorPil, {"size": 5, "resample": 4, "do_normalize": False}, WIDE),
    "vit_hamming": (
        ViTImageProcessorPil,
        {"size": 5, "resample": 5, "image_mean": [0.1, 0.2, 0.3], "image_std": [0.3, 0.7, 1.1]},
        WIDE,
    ),
    "vit_plain": (ViTImageProcessorPil, {"do_resize": False, "rescale_factor": 0.01}, "exif.webp"),
    "vit_crop": (ViTImageProcessorPil, {"do_resize": False, "do_center_crop": True, "crop_size": 8}, "exif6.jpg"),
    "vit_longest": (ViTImageProcessorPil, {"size": {"shortest_edge": 8, "longest_edge": 10}}, WIDE),
    "vit_within": (ViTImageProcessorPil, {"size": {"max_height": 8, "max_width": 10}}, WIDE),
    "deit": (DeiTImageProcessorPil, {"size": {"height": 9, "width": 9}, "crop_size": 6}, WIDE),
    "deit_odd": (DeiTImageProcessorPil, {"size": {"height": 9, "width": 8}, "crop_size": {"height": 6, "width": 5}}, WIDE),
    "clip": (CLIPImageProcessorPil, {"size": 9, "crop_size": 9}, WIDE),
    "clip_cmyk": (CLIPImageProcessorPil, {"size": {"shortest_edge": 7}, "crop_size": 7}, "cmyk.jpg"),
    # Smaller than what is cut out in one direction, and larger in the other.
    "clip_padded": (CLIPImageProcessorPil, {"size": 5, "crop_size": {"height": 8, "width": 5}}, WIDE),
    "clip_turned": (CLIPImageProcessorPil, {"size": 6, "crop_size": 11}, "exif5.jpg"),
    "siglip": (SiglipImageProcessorPil, {"size": {"height": 8, "width": 8}}, "palette4.png"),
    "siglip_number": (SiglipImageProcessorPil, {"size": 8}, "grey_alpha16.png"),
    # Lists of patches: a wide picture, a turned one, and one of a pixel.
    "siglip2": (Siglip2ImageProcessorPil, {"patch_size": 4, "max_num_patches": 9}, WIDE),
    "siglip2_turned": (
        Siglip2ImageProcessorPil,
        {"patch_size": 3, "max_num_patches": 20, "resample": 3, "image_mean": 0.25},
        "exif6.jpg",
    ),
    "siglip2_pixel": (
        Siglip2ImageProcessorPil,
        {"patch_size": 2, "max_num_patches": 7, "do_normalize": False},
        "one.jpg",
    ),
    "bit": (BitImageProcessorPil, {"size": 9, "crop_size": 8, "image_std": [0.229, 0.224, 0.225]}, "420.jpg"),
    "dinov3": (DINOv3ViTImageProcessor, {"size": {"height": 8, "width": 7}}, WIDE),
    "dinov3_larger": (DINOv3ViTImageProcessor, {"size": 26, "resample": 3}, "exif8.jpg"),
}


def main():
    listed, arrays = {}, {}
    for name, (kind, settings, picture) in CASES.items():
        image = load_image(str(FOLDER / picture))
        found = kind(**settings)(image, return_tensors="np")
        arrays[name] = np.asarray(found["pixel_values"])[0].astype(np.float32)
        for part in ["pixel_attention_mask", "spatial_shapes"]:
            if part in found:
                arrays[f"{name}.{part}"] = np.asarray(found[part])[0].astype(np.int64)
        listed[name] = {"picture": picture, "settings": {"image_processor_type": kind.__name__.removesuffix("Pil")} | settings}
    np.savez_compressed(FOLDER / "processed.npz", **arrays)
    (FOLDER / "processors.json").write_text(json.dumps(listed, indent=1) + "\n")


if __name__ == "__main__":
    main()
