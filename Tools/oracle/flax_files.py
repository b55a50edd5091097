"""Writes Fixtures/containers/flax, with Flax's own serialization: python Tools/oracle/flax_files.py"""

import struct
from pathlib import Path

import flax.serialization as serialization
import jax.numpy as jnp
import msgpack
import numpy as np
from ecosystem import DTYPES, Random, expect, folder
from flax.traverse_util import flatten_dict

ROOT = folder("flax")
RANDOM = Random(20261128)


def put(name: str, tree: dict, arrays: dict | None = None, asides: list[str] | None = None) -> None:
    path = ROOT / "good" / f"{name}.msgpack"
    path.write_bytes(serialization.msgpack_serialize(tree))
    restored = serialization.msgpack_restore(path.read_bytes())
    if arrays is None:
        arrays = {name: np.asarray(value) for name, value in flatten_dict(restored, sep="/").items()}
    expect(path, arrays, asides)


put(
    "every_dtype",
    {name.lower(): {"kernel": RANDOM.array(dtype, (2, 3)), "scalar": RANDOM.array(dtype, ())}
     for name, dtype in DTYPES.items()}
    | {"complex128": RANDOM.array("<c16", (2,)), "empty": {"a": np.zeros((0, 4), np.float32)},
       "naïve": {"日本 語": RANDOM.floats(2)}, "jax": jnp.ones((2,), jnp.bfloat16)},
)

state = {
    "step": 12345678901,
    "params": {"dense": {"kernel": RANDOM.floats(3, 2), "bias": RANDOM.floats(2)}},
    "opt_state": {
        "0": {"count": np.int32(7), "mu": {"dense": {"kernel": RANDOM.floats(3, 2)}}},
        "1": {},
    },
    "negative": -3,
    "small": -129,
    "rate": 1e-3,
    "done": True,
    "z": 1.5 - 2j,
    "list": [RANDOM.floats(1), {"inner": RANDOM.floats(2)}],
    "name": "a text",
    "nothing": None,
    "raw": b"bytes",
}
put(
    "train_state",
    state,
    {
        "step": np.int64(12345678901),
        "params/dense/kernel": state["params"]["dense"]["kernel"],
        "params/dense/bias": state["params"]["dense"]["bias"],
        "opt_state/0/count": np.int32(7),
        "opt_state/0/mu/dense/kernel": state["opt_state"]["0"]["mu"]["dense"]["kernel"],
        "negative": np.int64(-3),
        "small": np.int64(-129),
        "rate": np.float64(1e-3),
        "done": np.bool_(True),
        "z": np.complex128(1.5 - 2j),
        "list/0": state["list"][0],
        "list/1/inner": state["list"][1]["inner"],
    },
    ["name: a text", "nothing: nothing (None)", "raw: a string of bytes"],
)

# Arrays of more than a gigabyte are written in pieces; here those of more than 40 bytes.
whole, serialization.MAX_CHUNK_SIZE = serialization.MAX_CHUNK_SIZE, 40
put("chunked", {"embed": {"embedding": RANDOM.floats(5, 7)}, "small": RANDOM.floats(3),
                "half": RANDOM.array("<f2", (3, 2, 4))})
serialization.MAX_CHUNK_SIZE = whole

# Files that must be refused.


def bad(name: str, data: bytes) -> None:
    (ROOT / "bad" / f"{name}.msgpack").write_bytes(data)


def array(shape=(2,), dtype="float32", data=bytes(8), code=1, extra=b"") -> msgpack.ExtType:
    return msgpack.ExtType(code, msgpack.packb((shape, dtype, data), use_bin_type=True) + extra)


def pack(tree) -> bytes:
    return msgpack.packb(tree, use_bin_type=True)


def member(key: bytes, value: bytes) -> bytes:
    return bytes([0xA0 + len(key)]) + key + value


good = array()
w = member(b"w", pack(good))
bad("bytes_after", pack({"w": good}) + b"\0")
bad("key_twice", b"\x82" + w + w)
bad("key_number", b"\x82" + w + b"\x01" + pack(good))
bad("key_not_utf8", b"\x82" + w + member(b"\xff", pack(good)))
bad("path_twice", pack({"a": {"b": good}, "a/b": good}))
bad("map_too_long", b"\xdf\xff\xff\xff\xff" + w)
bad("no_item", b"\x82" + w + member(b"v", b"\xc1"))
bad("type_unknown", pack({"w": good, "v": msgpack.ExtType(9, b"12")}))
bad("dtype_int4", pack({"w": array(dtype="int4", data=bytes(2))}))
bad("dtype_object", pack({"w": array(dtype="object", data=bytes(16))}))
bad("size_too_small", pack({"w": array(data=bytes(7))}))
bad("shape_negative", pack({"w": array(shape=(-2,))}))
bad("shape_wraps", pack({"w": array(shape=(2**62, 4, 2))}))
bad("shape_huge", pack({"w": array(shape=(2**64 - 1,))}))
bad("shape_rank_65", pack({"w": array(shape=(1,) * 65, data=bytes(4))}))
bad("array_with_more", pack({"w": array(extra=b"\0")}))
bad("array_is_map", pack({"w": good, "v": msgpack.ExtType(1, pack({"shape": [2]}))}))
bad("array_past_end", b"\x81" + member(b"w", b"\xc9" + struct.pack(">I", 2**31) + b"\x01\x93"))
bad("complex_of_three", pack({"w": good, "v": msgpack.ExtType(2, pack([1.0, 2.0, 3.0]))}))
bad("nested_deeply", b"\x81\xa1a" * 70 + b"\x80")
deep: dict = {"w": good}
for _ in range(70):
    deep = {"a": deep}
bad("nested_deeply", pack(deep))


def chunked(shape, chunks) -> bytes:
    return pack({"w": {"__msgpack_chunked_array__": True, "shape": shape, "chunks": chunks}})


bad("chunks_missing", pack({"w": {"__msgpack_chunked_array__": True, "shape": {"0": 2}}, "v": good}))
bad("chunks_too_few", chunked({"0": 4}, {"0": good}))
bad("chunks_out_of_order", chunked({"0": 4}, {"1": good, "0": good}))
bad("chunks_of_two_types", chunked({"0": 4}, {"0": good, "1": array(dtype="int32")}))
bad("chunks_none", chunked({"0": 0}, {}))
bad("chunk_shape_negative", chunked({"0": -2}, {"0": good}))
