"""Writes Fixtures/containers/hdf5, with h5py and Keras: python Tools/oracle/hdf5_files.py"""

import os

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import struct
import zipfile
from pathlib import Path

import h5py
import keras
import ml_dtypes
import numpy as np
from ecosystem import DTYPES, Random, expect, folder

ROOT = folder("hdf5")
GOOD = ROOT / "good"
RANDOM = Random(20261201)
PLAIN = [name for name, dtype in DTYPES.items() if dtype.kind in "biuf" and not name.startswith("F8")]


def put(name: str, fill, asides: list[str] | None = None, names: dict | None = None, **more) -> None:
    """A file that `fill` fills; what is in it, h5py says."""
    path = GOOD / name
    with h5py.File(path, "w", **more) as file:
        fill(file)
    arrays = {}
    with h5py.File(path, "r") as file:
        def visit(key, item):
            if isinstance(item, h5py.Dataset) and item.dtype.kind in "biuf" and item.shape is not None:
                arrays[(names or {}).get(key, key)] = item[()]
        file.visititems(visit)
        arrays |= {key: file[key][()] for key in ["same"] if key in file}
    expect(path, arrays, asides)


def types(file):
    for name in PLAIN:
        file[f"types/{name.lower()}/kernel"] = RANDOM.array(DTYPES[name], (2, 3))
        file[f"types/{name.lower()}/scalar"] = RANDOM.array(DTYPES[name], ())
        file[f"types/{name.lower()}/empty"] = RANDOM.array(DTYPES[name], (0, 2))
        big = DTYPES[name].newbyteorder(">")
        file[f"big/{name.lower()}"] = RANDOM.array(DTYPES[name], (4,)).astype(big)
    file["naïve/日本"] = RANDOM.floats(2)
    file["never written"] = h5py.Empty("f4")
    file.create_dataset("zeros", (3, 2), "f4")
    file["texts"] = np.array([b"a", b"bc"])
    file["text"] = "x"
    file["links/soft"] = h5py.SoftLink("/zeros")
    file["links/other"] = h5py.ExternalLink("other.h5", "/a")
    file["record"] = np.zeros(2, [("a", "f4"), ("b", "i4")])
    file["same"] = file["naïve/日本"]


ASIDES = [
    "never written: nothing (an empty dataset)", "record: records", "text: a text", "texts: texts",
    "links/soft: a link to another place, which is not followed",
    "links/other: a link to another place, which is not followed",
]
put("every_dtype.h5", types, ASIDES)


def few(file):
    file["a/kernel"] = RANDOM.floats(2, 3)
    file["a/half"] = RANDOM.array("<f2", (3,))
    file.create_dataset("a/compact", data=RANDOM.floats(2))
    file["b"] = RANDOM.array("<i8", ())
    file["soft"] = h5py.SoftLink("/b")


SOFT = ["soft: a link to another place, which is not followed"]
put("superblock_2.h5", few, SOFT, libver=("v108", "v108"))
put("superblock_3.h5", few, SOFT, libver="latest")
put("tracked_order.h5", few, SOFT, track_order=True)
put("user_block.h5", few, SOFT, userblock_size=1024)
# A group of more links than a node of its table holds, and their names in a long heap.
def many(file):
    file["layer/000"] = np.float32(7)
    for number in range(1, 300):
        file[f"layer/{number * 7919 % 300:03d}"] = file["layer/000"]


put("many.h5", many)
expect(GOOD / "many.h5", {f"layer/{number:03d}": np.float32(7) for number in range(300)})


def chunks(file):
    x = RANDOM.floats(7, 5)
    file.create_dataset("plain", data=x, chunks=(3, 2))
    file.create_dataset("deflated", data=x.round(1), chunks=(3, 2), compression="gzip")
    file.create_dataset("shuffled", data=x.round(1), chunks=(2, 5), compression="gzip", shuffle=True)
    file.create_dataset("summed", data=RANDOM.array("<f2", (5, 3)), chunks=(2, 2), fletcher32=True)
    file.create_dataset(
        "all", data=RANDOM.array("<u2", (4, 5, 6)), chunks=(3, 2, 4), compression=9, shuffle=True, fletcher32=True)
    file.create_dataset("vector", data=RANDOM.floats(100), chunks=(9,), compression=1)
    file.create_dataset("larger", data=RANDOM.floats(2, 3), chunks=(4, 8), maxshape=(None, None))
    file.create_dataset("never", (9, 9), "f4", chunks=(2, 2))
    part = file.create_dataset("partly", (9, 9), "f8", chunks=(2, 2))
    part[3:5, 2:7] = RANDOM.floats(2, 5)
    big = RANDOM.floats(6, 4).astype(">f4")
    file.create_dataset("big", data=big, chunks=(4, 3), shuffle=True, compression=5)


put("chunks.h5", chunks)
# More chunks than a node of a tree holds.
put("many_chunks.h5", lambda file: file.create_dataset(
    "deep", data=np.arange(600, dtype="i4"), chunks=(8,)))


# As transformers' and Keras' older code names weights: legacy_h5_format.py.
def legacy(file, layers):
    file.attrs["layer_names"] = [name.encode() for name in layers]
    file.attrs["backend"] = b"tensorflow"
    for name, weights in layers.items():
        group = file.create_group(name)
        group.attrs["weight_names"] = [weight.encode() for weight in weights]
        for weight, value in weights.items():
            group.create_dataset(weight, data=value)


LAYERS = {
    "dropout": {},
    "bert": {f"tf_model/bert/{part}:0": RANDOM.floats(2, 2) for part in
             ["word/weight", "encoder/layer_._1/kernel", "encoder/layer_._0/kernel"]},
    "a_head": {"tf_model/classifier/kernel:0": RANDOM.floats(2), "tf_model/classifier/bias:0": RANDOM.floats(1)},
}
# The name of the whole model is left out.
NAMES = {f"{layer}/{weight}": weight.removeprefix("tf_model/") for layer, weights in LAYERS.items() for weight in weights}
put("layers.h5", lambda file: legacy(file, LAYERS), names=NAMES)
# The second of two weights that are called the same goes by its path.
put("layers_alike.h5", lambda file: legacy(
    file, {layer: {"kernel:0": RANDOM.floats(2)} for layer in ["x", "w"]}), names={"x/kernel:0": "kernel:0"})

# Keras itself: a model's weights in the old form and the new, and the archive.
keras.utils.set_random_seed(7)
model = keras.Sequential([
    keras.Input((3,)), keras.layers.Dense(2, name="first"), keras.layers.BatchNormalization(name="norm"),
    keras.layers.Dense(1, dtype="bfloat16", name="last"),
])
for variable in model.variables:
    variable.assign(RANDOM.floats(*variable.shape))
single = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, name="first")])
single.layers[0].set_weights([RANDOM.floats(3, 2), RANDOM.floats(2)])


def values(path: str, stored=lambda value: value) -> dict:
    layers = {"dense": model.layers[0], "batch_normalization": model.layers[1], "dense_1": model.layers[2]}
    return {f"{path}layers/{name}/vars/{index}": stored(np.asarray(variable.value))
            for name, layer in layers.items() for index, variable in enumerate(layer.weights)}


model.save_weights(str(GOOD / "keras_3.weights.h5"))
with h5py.File(GOOD / "keras_3.weights.h5") as file:
    found = {}
    file.visititems(lambda key, item: found.__setitem__(key, item) if isinstance(item, h5py.Dataset) else None)
    assert set(found) == set(values("")), set(found) ^ set(values(""))
expect(GOOD / "keras_3.weights.h5", values(""))
model.save(str(GOOD / "archive.keras"))
expect(GOOD / "archive.keras", values(""))
single.save(str(GOOD / "keras_old.h5"))
with h5py.File(GOOD / "keras_old.h5") as file:
    weights = file["model_weights"]["first"]
    listed = [name.decode() if isinstance(name, bytes) else name for name in weights.attrs["weight_names"]]
    expect(GOOD / "keras_old.h5", {name: weights[name][()] for name in listed})

# Files that must be refused.


def bad(name: str, data: bytes) -> None:
    (ROOT / "bad" / f"{name}.h5").write_bytes(data)


def made(fill, **more) -> bytes:
    path = ROOT / "scratch.h5"
    with h5py.File(path, "w", **more) as file:
        fill(file)
    data = path.read_bytes()
    path.unlink()
    return data


def changed(data: bytes, *edits: tuple[int, bytes]) -> bytes:
    for start, new in edits:
        data = data[:start] + new + data[start + len(new):]
    return data


def one(file):
    file["g/w"] = np.arange(6, dtype="f4").reshape(2, 3)


plain = made(one)
new = made(one, libver="latest")
tree, heap, node = plain.index(b"TREE"), plain.index(b"HEAP"), plain.index(b"SNOD")
shape = plain.index(struct.pack("<QQ", 2, 3))
layout = plain.index(b"\x08\x00\x18\x00") + 8
bad("cut_off", plain[:-1])
bad("signature_only", plain[:8])
bad("superblock_9", changed(plain, (8, b"\x09")))
bad("addresses_of_4_bytes", changed(plain, (13, b"\x04")))
bad("base_elsewhere", changed(plain, (24, b"\x08")))
bad("root_past_end", changed(plain, (64, struct.pack("<Q", 2**40))))
bad("root_is_no_object", changed(plain, (64, struct.pack("<Q", heap))))
bad("superblock_changed", changed(new, (36, b"\x01")))
bad("header_changed", changed(new, (new.index(b"OHDR") + 8, b"\xff")))
bad("tree_missing", changed(plain, (tree, b"TRXX")))
bad("tree_in_circle", changed(plain, (tree + 5, b"\x01"), (tree + 32, struct.pack("<Q", tree))))
bad("tree_of_many", changed(plain, (tree + 6, b"\xff\xff")))
bad("heap_missing", changed(plain, (heap, b"HEXX")))
bad("heap_too_large", changed(plain, (heap + 8, struct.pack("<Q", 2**62))))
bad("node_missing", changed(plain, (node, b"SNXX")))
bad("name_past_heap", changed(plain, (node + 8, struct.pack("<Q", 9999))))
bad("object_past_end", changed(plain, (node + 16, struct.pack("<Q", 2**63))))
bad("group_in_itself", changed(plain, (node + 16, plain[64:72])))
bad("shape_wraps", changed(plain, (shape, struct.pack("<QQ", 2**61, 64))))
bad("shape_of_other_size", changed(plain, (shape, struct.pack("<QQ", 2, 4))))
bad("layout_2", changed(plain, (layout, b"\x02")))
bad("layout_unknown", changed(plain, (layout + 1, b"\x07")))
bad("data_past_end", changed(plain, (layout + 2, struct.pack("<Q", len(plain) - 4))))
bad("type_unknown", changed(plain, (plain.index(b"\x11\x20\x1f\x00"), b"\x1f")))
bad("float_of_other_form", changed(plain, (plain.index(b"\x11\x20\x1f\x00") + 12, b"\x16")))
bad("dense_links", made(lambda file: [file.__setitem__(str(i), i) for i in range(40)], libver="latest"))
bad("chunks_latest", made(lambda file: file.create_dataset("a", data=np.zeros(9), chunks=(2,)), libver="latest"))
bad("filter_lzf", made(lambda file: file.create_dataset("a", data=np.zeros(9), chunks=(2,), compression="lzf")))
bad("filter_scaleoffset", made(lambda file: file.create_dataset("a", data=np.zeros(9, "i4"), chunks=(4,), scaleoffset=3)))
bad("fill_value", made(lambda file: file.create_dataset("a", (9,), "f4", chunks=(2,), fillvalue=3.0)))
bad("fill_value_whole", made(lambda file: file.create_dataset("a", (9,), "f4", fillvalue=3.0)))
bad("external", made(lambda file: file.create_dataset("a", (2,), "f4", external=[("x.bin", 0, 8)])))
virtual = h5py.VirtualLayout((4,), "f4")
virtual[:] = h5py.VirtualSource("x.h5", "a", (4,))
bad("virtual", made(lambda file: file.create_virtual_dataset("a", virtual)))


def committed(file):
    file["t"] = np.dtype("f4")
    file.create_dataset("a", (2,), file["t"])


bad("committed_type", made(committed))
chunked = made(lambda file: file.create_dataset("a", data=np.arange(64, dtype="f4"), chunks=(16,), compression=1))
first = chunked.rindex(b"TREE") + 24
bad("chunk_twice", changed(chunked, (first + 24 + 8 + 8, bytes(8))))
bad("chunk_elsewhere", changed(chunked, (first + 8, struct.pack("<Q", 7))))
bad("chunk_huge", changed(chunked, (first, b"\xff\xff\xff\xff")))
bad("chunk_of_zeros", changed(chunked, (struct.unpack("<Q", chunked[first + 24:first + 32])[0], bytes(8))))
summed = made(lambda file: file.create_dataset("a", data=np.arange(64, dtype="f4"), chunks=(16,), fletcher32=True))
first = summed.rindex(b"TREE") + 24
bad("chunk_changed", changed(summed, (struct.unpack("<Q", summed[first + 24:first + 32])[0], b"\x01")))
