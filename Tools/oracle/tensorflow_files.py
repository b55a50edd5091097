"""Writes Fixtures/containers/tensorflow, with TensorFlow's own code:
python Tools/oracle/tensorflow_files.py"""

import os
import struct
import tempfile
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import numpy as np
import tensorflow as tf
from ecosystem import DTYPES, Random, expect, folder
from tensorflow.core.framework import tensor_shape_pb2, tensor_slice_pb2, types_pb2, versions_pb2
from tensorflow.core.protobuf import tensor_bundle_pb2

ROOT = folder("tensorflow")
GOOD = ROOT / "good"
RANDOM = Random(20261129)


def save(prefix: Path, tensors: dict[str, np.ndarray], slices: list[str] | None = None) -> None:
    names = [name.split("#")[0] for name in tensors]
    tf.raw_ops.SaveV2(
        prefix=str(prefix),
        tensor_names=names,
        shape_and_slices=slices or [""] * len(names),
        tensors=[tf.constant(value) for value in tensors.values()],
    )


def check(prefix: Path, arrays: dict[str, np.ndarray], asides: list[str] | None = None) -> None:
    reader = tf.train.load_checkpoint(str(prefix))
    for name, value in arrays.items():
        found = np.asarray(reader.get_tensor(name))
        assert found.tobytes() == np.asarray(value).tobytes() and found.shape == value.shape, name
    expect(Path(f"{prefix}.index"), arrays, asides)


every = {
    f"model/{name.lower()}/{part}": RANDOM.array(dtype, shape)
    for name, dtype in DTYPES.items()
    for part, shape in [("kernel", (2, 3)), ("scalar", ()), ("empty", (0, 2))]
    if name not in ["F8_E8M0", "F8_E4M3FNUZ", "F8_E5M2FNUZ"]
} | {"model/complex128": RANDOM.array("<c16", (2,)), "naïve/日本": RANDOM.floats(2)}
save(GOOD / "every_dtype", every)
check(GOOD / "every_dtype", every)

# Names that share beginnings, over several restart points of the block.
many = {f"bert/encoder/layer_{i}/attention/self/{part}/kernel": RANDOM.floats(2)
        for i in range(24) for part in ["query", "key", "value"]}
save(GOOD / "many_names", many | {"texts": np.array([b"a", b"bc"]), "global_step": np.int64(7)})
check(GOOD / "many_names", many | {"global_step": np.int64(7)}, ["texts: texts"])

with tempfile.TemporaryDirectory() as scratch:
    halves = [{"a": RANDOM.floats(3, 2), "c": RANDOM.floats(2)}, {"b": RANDOM.array("<f2", (5,))}]
    prefixes = [f"{scratch}/part{i}" for i in range(2)]
    for prefix, half in zip(prefixes, halves):
        save(Path(prefix), half)
    tf.raw_ops.MergeV2Checkpoints(
        checkpoint_prefixes=prefixes, destination_prefix=str(GOOD / "two_shards"))
check(GOOD / "two_shards", halves[0] | halves[1])

table = RANDOM.floats(300, 4)
wide = RANDOM.floats(2, 3)
save(
    GOOD / "partitioned",
    {"emb#0": table[:100], "emb#1": table[100:200], "emb#2": table[200:], "a\0b": wide, "x": wide},
    ["300 4 0,100:-", "300 4 100,100:-", "300 4 200,100:-", "2 3 0,2:0,3", ""],
)
check(GOOD / "partitioned", {"emb": table, "a\0b": wide, "x": wide})

module = tf.Module()
module.dense = {"kernel": tf.Variable(RANDOM.floats(2, 3)), "bias": tf.Variable(RANDOM.floats(3))}
checkpoint = tf.train.Checkpoint(model=module)
written = checkpoint.write(str(GOOD / "object_graph"))
end = "/.ATTRIBUTES/VARIABLE_VALUE"
check(
    GOOD / "object_graph",
    {f"model/dense/{name}{end}": value.numpy() for name, value in module.dense.items()},
    ["_CHECKPOINTABLE_OBJECT_GRAPH: a text"],
)

# A SavedModel is a folder.
saved = ROOT / "saved_model"
tf.saved_model.save(module, str(saved))
assert (saved / "saved_model.pb").stat().st_size < 60_000
expect(GOOD / "saved_model.index", {
    f"dense/{name}{end}": value.numpy() for name, value in module.dense.items()})
(saved / "fingerprint.pb").unlink(missing_ok=True)
(saved / "assets").rmdir()

# Files that must be refused: tables written here, byte by byte.

POLY = 0x82F63B78


def crc32c(data: bytes) -> int:
    value = 0xFFFFFFFF
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ (POLY if value & 1 else 0)
    return value ^ 0xFFFFFFFF


def masked(data: bytes) -> int:
    value = crc32c(data)
    return ((value >> 15 | value << 17) + 0xA282EAD8) & 0xFFFFFFFF


def varint(number: int) -> bytes:
    out = b""
    while number >= 0x80:
        out += bytes([number & 0x7F | 0x80])
        number >>= 7
    return out + bytes([number])


def block(entries, kind=0, restarts=(0,), restart_count=None) -> bytes:
    """A block of (shared, rest of the key, value), with its trailer."""
    data = b"".join(
        varint(shared) + varint(len(rest)) + varint(len(value)) + rest + value
        for shared, rest, value in entries)
    data += b"".join(struct.pack("<I", r) for r in restarts) + struct.pack("<I", restart_count or len(restarts))
    data += bytes([kind])
    return data + struct.pack("<I", masked(data))


def index_of(*blocks: bytes, last=b"\xff", gap=b"", kind=0) -> bytes:
    data, handles = b"", []
    for piece in blocks:
        handles.append(varint(len(data)) + varint(len(piece) - 5))
        data += piece + gap
    meta = varint(len(data)) + varint(8)
    data += block([])
    top = block([(0, last, handle) for handle in handles] if len(handles) == 1 else
                [(0, bytes([0xF0 + i]), h) for i, h in enumerate(handles)])
    footer = meta + varint(len(data)) + varint(len(top) - 5)
    return data + top + footer.ljust(40, b"\0") + bytes.fromhex("57fb808b247547db")


def header(**fields) -> bytes:
    return tensor_bundle_pb2.BundleHeaderProto(**({"num_shards": 1} | fields)).SerializeToString()


def entry(shape=(2,), dtype=types_pb2.DT_FLOAT, size=8, offset=0, data=bytes(8), slices=(), **more) -> bytes:
    dims = [tensor_shape_pb2.TensorShapeProto.Dim(size=n) for n in shape]
    message = tensor_bundle_pb2.BundleEntryProto(
        dtype=dtype, size=size, offset=offset, crc32c=masked(data), **more,
        shape=tensor_shape_pb2.TensorShapeProto(dim=dims))
    for extents in slices:
        message.slices.append(tensor_slice_pb2.TensorSliceProto(extent=[
            tensor_slice_pb2.TensorSliceProto.Extent(start=a, length=n) for a, n in extents]))
    return message.SerializeToString()


def bad(name: str, *entries, index: bytes | None = None, data: bytes | None = bytes(16), **more) -> None:
    (ROOT / "bad" / f"{name}.index").write_bytes(
        index or index_of(block([(0, b"", header())] + [(0, k, v) for k, v in entries], **more)))
    if data is not None:
        (ROOT / "bad" / f"{name}.data-00000-of-00001").write_bytes(data)


one = (b"a", entry())
whole = index_of(block([(0, b"", header()), (0, *one)]))
bad("cut_off", index=whole[:40], data=None)
bad("magic_wrong", index=whole[:-1] + b"\0", data=None)
bad("footer_broken", index=whole[:-48] + b"\xff" * 40 + whole[-8:], data=None)
bad("footer_with_more", index=whole[:-9] + b"\1" + whole[-8:], data=None)
bad("block_changed", index=whole[:3] + b"x" + whole[4:], data=None)
bad("block_past_end", index=whole[:-48] + (varint(0) + varint(8) + varint(0) + varint(2**40)).ljust(40, b"\0") + whole[-8:], data=None)
bad("snappy", one, kind=1, data=None)
bad("compression_unknown", one, kind=7, data=None)
bad("key_twice", one, one)
bad("keys_out_of_order", (b"b", entry(offset=8)), one)
bad("key_behind_last", one, index=index_of(block([(0, b"", header()), (0, *one)]), last=b"A"))
bad("shared_too_much", index=index_of(block([(0, b"", header()), (5, *one)])))
bad("restart_nowhere", one, restarts=(0, 3))
bad("restarts_too_many", one, restart_count=2**32 - 1)
bad("gap", index=index_of(block([(0, b"", header()), (0, *one)]), gap=b"\0"))
bad("header_missing", index=index_of(block([(0, *one)])))
bad("no_shards", index=index_of(block([(0, b"", header(num_shards=0)), (0, *one)])))
bad("version_2", index=index_of(block([
    (0, b"", header(version=versions_pb2.VersionDef(producer=2, min_consumer=2))), (0, *one)])))
bad("message_broken", (b"a", b"\x08"))
bad("message_of_groups", (b"a", b"\x0b"))
bad("field_of_other_kind", (b"a", b"\x08\x01\x22\x01x"))
bad("checksum_of_other_kind", (b"a", b"\x08\x01\x30\x01"))
bad("name_not_utf8", (b"\xfe", entry()))
bad("dtype_qint8", (b"a", entry(dtype=types_pb2.DT_QINT8, size=2)))
bad("dtype_unknown", (b"a", entry(dtype=77)))
bad("size_too_small", (b"a", entry(size=7)))
bad("shape_negative", (b"a", entry(shape=(-2,))))
bad("shape_wraps", (b"a", entry(shape=(2**62, 4, 2))))
bad("shape_rank_65", (b"a", entry(shape=(1,) * 65, size=4)))
bad("offset_negative", (b"a", entry(offset=-8)))
bad("offset_past_end", (b"a", entry(offset=16)))
bad("offset_wraps", (b"a", entry(offset=2**63 - 1)))
bad("shard_unknown", (b"a", entry(shard_id=3)))
bad("shard_missing", one, data=None)
bad("overlap", one, (b"b", entry(offset=4)))
bad("data_changed", one, data=bytes(7) + b"\1")
parts = entry(shape=(2, 2), size=0, slices=[[(0, 2), (0, 1)], [(0, 2), (1, 1)]])
bad("partitioned_columns", (b"a", parts))


def part_of_a(*extents) -> bytes:
    """The key of a part: EncodeTensorNameSlice, with numbers below 64."""
    return b"\0a\0\1" + bytes([1, len(extents)]) + bytes(0x80 | number for pair in extents for number in pair)


# As many rows as there must be, of which the second is there twice, and the third is not.
bands = [[(0, 2), (0, 1)], [(1, 1), (0, 1)], [(3, 1), (0, 1)]]
bad("parts_overlap",
    (part_of_a(*bands[0]), entry(shape=(2, 1))),
    (part_of_a(*bands[1]), entry(shape=(1, 1), size=4, offset=8, data=bytes(4))),
    (part_of_a(*bands[2]), entry(shape=(1, 1), size=4, offset=12, data=bytes(4))),
    (b"a", entry(shape=(4, 1), size=0, slices=bands)))
bad("parts_missing", (b"a", entry(shape=(2, 2), size=0, slices=[[(0, 1), (0, 2)], [(1, 1), (0, 2)]])))
