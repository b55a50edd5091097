"""Writes Fixtures/pictures: small rendered scenes as files, and what Pillow makes of them.

`pixels.npz` has what `Image.open(…)`, `exif_transpose` and `convert("RGB")` give for each file, as transformers'
`load_image` calls them; `resized.npz` one of them in other sizes, by each filter.
"""

import io
import struct
import zlib

import numpy as np
from exact import FIXTURES
from PIL import Image, ImageDraw, ImageOps, features

FOLDER = FIXTURES / "pictures"
SIZE = (23, 17)


def scene(size=SIZE, mode="RGB"):
    """A sky over ground, a disc and a triangle in front, some noise."""
    if min(size) < 5:
        return scene(mode=mode).crop((0, 0, *size))
    width, height = size
    down, across = np.mgrid[0:height, 0:width]
    sky = np.stack([60 + 120 * down / height, 120 + 90 * across / width, 250 - 100 * down / height], -1)
    image = Image.fromarray(sky.astype(np.uint8))
    draw = ImageDraw.Draw(image)
    draw.rectangle([0, height * 2 // 3, width, height], fill=(40, 110, 30))
    draw.ellipse([width // 2, 1, width - 2, height // 2 + 1], fill=(250, 210, 20))
    draw.polygon([(1, height - 2), (width // 3, 2), (width // 2, height - 3)], fill=(160, 20, 40))
    noise = np.random.default_rng(7).integers(-9, 10, (height, width, 3))
    image = Image.fromarray((np.asarray(image).astype(int) + noise).clip(0, 255).astype(np.uint8))
    if mode == "CMYK":
        inks = np.random.default_rng(8).integers(0, 90, (height, width))
        return Image.merge("CMYK", [*image.split(), Image.fromarray(inks.astype(np.uint8))])
    if mode in ("LA", "RGBA"):
        alpha = Image.fromarray((255 * across / (width - 1)).astype(np.uint8))
        return Image.merge(mode, [*image.convert(mode[:-1]).split(), alpha])
    return image.convert(mode)


def saved(image, form, **options):
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def turned(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


# MARK: PNG of all kinds, which Pillow does not write

PASSES = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]


def chunk(name, body):
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def filtered(rows, step, filters):
    """Rows by filters, one after the other (PNG, 9.2)."""
    result, above = b"", np.zeros(rows.shape[1], int)
    for number, row in enumerate(rows.astype(int)):
        left = np.concatenate([np.zeros(step, int), row[:-step]]) if len(row) > step else np.zeros(len(row), int)
        corner = np.concatenate([np.zeros(step, int), above[:-step]]) if len(row) > step else np.zeros(len(row), int)
        guess = left + above - corner
        distances = [abs(guess - x) for x in (left, above, corner)]
        nearest = np.where(
            (distances[0] <= distances[1]) & (distances[0] <= distances[2]),
            left,
            np.where(distances[1] <= distances[2], above, corner),
        )
        addends = [np.zeros(len(row), int), left, above, (left + above) // 2, nearest]
        kind = filters[number % len(filters)]
        result += bytes([kind]) + ((row - addends[kind]) % 256).astype(np.uint8).tobytes()
        above = row
    return result


def packed(samples, depth):
    """[height, numbers in a row] to bytes."""
    if depth == 16:
        return np.frombuffer(samples.astype(">u2").tobytes(), np.uint8).reshape(len(samples), -1)
    bits = (samples[..., None] >> np.arange(depth - 1, -1, -1)) & 1
    return np.packbits(bits.reshape(len(samples), -1).astype(np.uint8), axis=1)


def png(kind, depth, interlaced=False, extra=b"", size=SIZE, filters=range(5), few=False):
    """`kind`: 0 grey, 2 colour, 3 palette, 4 grey and alpha, 6 colour and alpha."""
    counts = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
    samples = np.asarray(scene(size, {0: "L", 2: "RGB", 3: "L", 4: "LA", 6: "RGBA"}[kind])).astype(int)
    samples = samples.reshape(size[1], size[0], counts[kind])
    if few:
        # Neighbours that are alike, so that a filter must choose among them as it is said.
        samples = np.random.default_rng(4).integers(0, 4, samples.shape)
    if depth == 16:
        low = np.random.default_rng(depth).integers(0, 256, samples.shape)
        samples = samples * 256 + low
        if kind == 0:
            samples >>= np.random.default_rng(9).integers(0, 9, samples.shape)
    else:
        samples >>= 8 - depth
    step = max(1, depth * counts[kind] // 8)
    data = b""
    for left, top, columns, rows in PASSES if interlaced else [(0, 0, 1, 1)]:
        part = samples[top::rows, left::columns]
        if part.size:
            data += filtered(packed(part.reshape(len(part), -1), depth), step, filters)
    header = struct.pack(">IIBBBBB", *size, depth, kind, 0, 0, int(interlaced))
    palette = b""
    if kind == 3:
        # One colour fewer than there are numbers.
        colors = np.random.default_rng(depth).integers(0, 256, ((1 << depth) - 1, 3))
        palette = chunk(b"PLTE", colors.astype(np.uint8).tobytes())
    compressed = zlib.compress(data, 9)
    half = len(compressed) // 2
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + palette
        + extra
        + chunk(b"IDAT", compressed[:half])
        + chunk(b"IDAT", compressed[half:])
        + chunk(b"IEND", b"")
    )


def ycck(data):
    """A CMYK whose marker of Adobe's says YCCK."""
    place = data.index(b"Adobe")
    return data[: place + 11] + b"\x02" + data[place + 12 :]


XMP = b'<x:xmpmeta><rdf:Description tiff:Orientation="%d"/></x:xmpmeta>'


def files():
    small = scene((7, 5))
    found = {
        "420.jpg": saved(scene(), "JPEG", quality=80, subsampling=2),
        "422.jpg": saved(scene(), "JPEG", quality=60, subsampling=1),
        "444.jpg": saved(scene(), "JPEG", quality=95, subsampling=0),
        "progressive.jpg": saved(scene(), "JPEG", progressive=True),
        "restarts.jpg": saved(scene(), "JPEG", restart_marker_blocks=1),
        "grey.jpg": saved(scene(mode="L"), "JPEG"),
        "rgb.jpg": saved(scene(), "JPEG", keep_rgb=True),
        "cmyk.jpg": saved(scene(mode="CMYK"), "JPEG", quality=90),
        "ycck.jpg": ycck(saved(scene(mode="CMYK"), "JPEG", quality=90)),
        "one.jpg": saved(scene((1, 1)), "JPEG"),
        "xmp.jpg": saved(small, "JPEG", xmp=XMP % 8),
        "exif.png": saved(small, "PNG", exif=turned(6)),
        "exif.webp": saved(small, "WEBP", lossless=True, exif=turned(5)),
        "xmp.webp": saved(small, "WEBP", lossless=True, xmp=XMP % 3),
        "lossy.webp": saved(scene(), "WEBP", quality=70),
        "lossless.webp": saved(scene(), "WEBP", lossless=True),
        "lossy_alpha.webp": saved(scene(mode="RGBA"), "WEBP", quality=80),
        "lossless_alpha.webp": saved(scene(mode="RGBA"), "WEBP", lossless=True, exact=True),
        "transparent.png": png(2, 8, extra=chunk(b"tRNS", bytes(6))),
        "column.png": png(0, 1, True, size=(1, 9)),
        "paeth.png": png(2, 8, filters=[4], few=True),
    }
    for orientation in range(1, 10):
        found[f"exif{orientation}.jpg"] = saved(small, "JPEG", exif=turned(orientation))
    for kind, depths in {0: [1, 2, 4, 8, 16], 2: [8, 16], 3: [1, 2, 4, 8], 4: [8, 16], 6: [8, 16]}.items():
        for depth in depths:
            name = {0: "grey", 2: "color", 3: "palette", 4: "grey_alpha", 6: "color_alpha"}[kind]
            found[f"{name}{depth}.png"] = png(kind, depth)
            if depth in (2, 16) or kind == 2:
                found[f"{name}{depth}_interlaced.png"] = png(kind, depth, True)
    return found


def opened(data):
    return ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB")


def main():
    assert features.check_feature("libjpeg_turbo") and features.check("webp")
    FOLDER.mkdir(exist_ok=True)
    pixels = {}
    for name, data in files().items():
        (FOLDER / name).write_bytes(data)
        pixels[name] = np.asarray(opened(data))
    np.savez_compressed(FOLDER / "pixels.npz", **pixels)
    resized = {
        f"{width}x{height}/{filter.value}": np.asarray(scene().resize((width, height), filter))
        for width, height in ((9, 7), (31, 26), (23, 5), (2, 17), (1, 1), (30, 7), (19, 12))
        for filter in Image.Resampling
    }
    resized["0"] = np.asarray(scene())
    np.savez_compressed(FOLDER / "resized.npz", **resized)


if __name__ == "__main__":
    main()
