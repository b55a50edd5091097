"""Writes Fixtures/containers/pickle, with Python's pickle, numpy and Haiku: python Tools/oracle/pickle_files.py

What Python 2 and numpy before 2.0 wrote is made of this by exchanging opcodes and names, and read back by Python.
"""

import os
import pickle
import pickletools
import sys
import warnings
from pathlib import Path

import haiku as hk
import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
from ecosystem import DTYPES, Random, expect, folder

ROOT = folder("pickle")
RANDOM = Random(20261129)
warnings.simplefilter("ignore")


def flat(tree, path="") -> dict[str, np.ndarray]:
    """Arrays and numbers of numpy by their paths."""
    if isinstance(tree, (np.ndarray, np.generic, jax.Array)):
        return {path: np.asarray(tree)}
    if hasattr(tree, "items"):
        items = tree.items()
    elif isinstance(tree, (list, tuple)):
        items = enumerate(tree)
    else:
        return {}
    return {name: x for key, value in items for name, x in flat(value, f"{path}/{key}" if path else str(key)).items()}


def put(name: str, tree, protocol: int, asides: list[str] | None = None, change=lambda data: data, **options) -> None:
    path = ROOT / "good" / f"{name}.pkl"
    path.write_bytes(change(pickle.dumps(tree, protocol=protocol)))
    expect(path, flat(pickle.loads(path.read_bytes(), **options), name if isinstance(tree, np.ndarray) else ""), asides)


def as_numpy_1(data: bytes) -> bytes:
    return data.replace(b"numpy._core.", b"numpy.core.")


def as_python_2(data: bytes) -> bytes:
    """Strings of bytes where there are bytes: the opcodes of protocol 3 that protocol 2 has not."""
    out, position = bytearray(), 0
    places = {place: opcode for opcode, _, place in pickletools.genops(data)}
    for place in sorted(places):
        code = {"SHORT_BINBYTES": b"U", "BINBYTES": b"T"}.get(places[place].name)
        if code:
            out += data[position:place] + code
            position = place + 1
    out += data[position:]
    out[1] = 2
    return as_numpy_1(bytes(out))


every = {
    name.lower(): {"w": RANDOM.array(dtype, (2, 3)), "scalar": RANDOM.array(dtype, ())[()], "none": RANDOM.array(dtype, (0, 2))}
    for name, dtype in DTYPES.items()
} | {"complex128": RANDOM.array("<c16", (2,)), "naïve": {"日本 語": RANDOM.floats(2)}}
for protocol in [2, 3, 4, 5]:
    put(f"every_dtype_{protocol}", every, protocol)
plain = {name: value for name, value in every.items() if name[0] != "f" and name != "bf16"}
put("numpy_1", plain, 2, change=as_numpy_1)
put("python_2", plain, 3, change=as_python_2, encoding="latin1")

x = RANDOM.floats(3, 4, 5)
shared = RANDOM.floats(300)
orders = {
    "fortran": np.asfortranarray(x), "transposed": x.transpose(1, 0, 2), "sliced": x[::2, 1:, ::-1], "big": x.astype(">f4"),
    "big_fortran": np.asfortranarray(x.astype(">i2")), "zero": np.array(1.5), "one": x[:1, :1], "broadcast": np.broadcast_to(x[0], (2, 4, 5)),
    "matrix": np.matrix(x[0]), "shared": [shared, (shared, {"again": shared})], "long": RANDOM.array("<i8", (70, 10)),
}  # fmt: skip
for protocol in [2, 4, 5]:
    put(f"orders_{protocol}", orders, protocol)
put("alone", x, 4)


def network(x):
    return hk.nets.MLP([4, 2], name="mlp")(hk.BatchNorm(True, True, 0.9, name="norm")(x, is_training=True))


params, state = hk.transform_with_state(network).init(jax.random.PRNGKey(7), jnp.ones((2, 3)))
assert "mlp/~/linear_0" in params
put("haiku", params, 4)
put("haiku_numpy", jax.tree_util.tree_map(np.asarray, params), 2)
put(
    "haiku_training",
    {"params": hk.data_structures.to_immutable_dict(params), "state": state, "step": 7, "loss": np.float32(0.5), "rate": 0.1, "name": "tiny", "rest": [None, True]},
    5,
    ["step: 7", "rate: 0.1", 'name: "tiny"', "rest: a list of 2"],
)


class Call:
    """What a pickle would call."""

    def __init__(self, function, *arguments):
        self.parts = function, arguments

    def __reduce__(self):
        return self.parts


w = RANDOM.floats(2)
path = ROOT / "good" / "hostile_beside.pkl"
path.write_bytes(pickle.dumps({"w": w, "evil": Call(os.system, "touch /tmp/evil")}, protocol=4))
expect(path, {"w": w}, ["evil: an object of posix.system"])

# Files that must be refused.


def bad(name: str, data: bytes) -> None:
    (ROOT / "bad" / f"{name}.pkl").write_bytes(data)


def dump(tree, protocol=4) -> bytes:
    return pickle.dumps(tree, protocol=protocol)


class Array:
    """An array with parts that are chosen."""

    def __init__(self, shape=(2,), dtype=np.dtype("f4"), data=bytes(8), fortran=False, version=1, state=()):
        self.state = state or (version, shape, dtype, fortran, data)

    def __reduce__(self):
        return np.zeros(0).__reduce__()[0], (np.ndarray, (0,), b"b"), self.state


class Type:
    """A type with parts that are chosen."""

    def __init__(self, name, *state):
        self.parts = np.dtype, (name, False, True), state or None

    def __reduce__(self):
        return self.parts


def buffer(data=bytes(24), shape=(2, 3), order="C", *more):
    return Call(np._core.numeric._frombuffer, data, np.dtype("f4"), shape, order, *more)


one = RANDOM.floats(2)
bad("objects", dump({"w": one, "o": np.array([{}, "a"], object)}))
bad("texts", dump({"w": one, "t": np.array(["a", "bc"])}))
bad("records", dump({"r": np.zeros(2, [("a", "f4"), ("b", "i4")])}))
bad("dates", dump({"d": np.zeros(2, "M8[s]")}))
bad("long_double", dump({"l": np.zeros(2, np.longdouble)}))
bad("void", dump({"v": np.zeros(2, "V2")}))
bad("int4", dump({"i": np.zeros(2, ml_dtypes.int4)}))
bad("type_of_somebody", dump({"w": Array(dtype=Type(Call, 3, "<", None, None, None, 4, 4, 0))}))
bad("type_is_text", dump({"w": Array(dtype="f4")}))
bad("type_unknown", dump({"w": Array(dtype=Type("f4 ", 3, "<", None, None, None, -1, -1, 0))}))
bad("order_unknown", dump({"w": Array(dtype=Type("f4", 3, "!", None, None, None, -1, -1, 0))}))
bad("two_orders", dump({"w": Array(dtype=Type(">f4", 3, "<", None, None, None, -1, -1, 0))}))
bad("sub_array", dump({"w": Array(dtype=Type("V8", 3, "|", (np.dtype("f4"), (2,)), None, None, 8, 4, 0))}))
bad("bytes_too_few", dump({"w": Array(data=bytes(7))}))
bad("bytes_too_many", dump({"w": Array(data=bytes(9))}))
bad("bytes_are_list", dump({"w": Array(data=[0.0, 0.0])}))
bad("bytes_of_a_call", dump({"w": Array(data=Call(os.getcwd))}))
bad("text_of_other_letters", dump({"w": Array(data="\u20ac" + 5 * "\0")}))
bad("shape_negative", dump({"w": Array(shape=(-2,))}))
bad("shape_wraps", dump({"w": Array(shape=(2**62, 4, 2))}))
bad("shape_huge", dump({"w": Array(shape=(2**64,))}))
bad("shape_rank_65", dump({"w": Array(shape=(1,) * 65, data=bytes(4))}))
bad("shape_is_number", dump({"w": Array(shape=2)}))
bad("fortran_is_two", dump({"w": Array(fortran=2)}))
bad("version_2", dump({"w": Array(version=2)}))
bad("state_of_four", dump({"w": Array(state=((2,), np.dtype("f4"), False, bytes(8)))}))
bad("never_told", dump({"w": Call(np.zeros(0).__reduce__()[0], np.ndarray, (0,), b"b")}))
bad("buffer_of_three", dump({"w": Call(np._core.numeric._frombuffer, bytes(4), np.dtype("f4"), (1,))}))
bad("buffer_order_a", dump({"w": buffer(bytes(24), (2, 3), "A")}))
bad("buffer_axes_twice", dump({"w": buffer(bytes(24), (2, 3), "K", (1, 1))}))
bad("buffer_axes_too_few", dump({"w": buffer(bytes(24), (2, 3), "K", (0,))}))
bad("buffer_too_short", dump({"w": buffer(bytes(20))}))
bad("scalar_of_one", dump({"w": Call(one[0].__reduce__()[0], np.dtype("f4"))}))
bad("scalar_too_long", dump({"w": Call(one[0].__reduce__()[0], np.dtype("f4"), bytes(8))}))
bad("buffers_outside", pickle.dumps({"w": np.ones(3)}, protocol=5, buffer_callback=lambda _: None))
bad("bytes_after", dump({"w": one}) + b"\0")
bad("two_pickles", dump({"w": one}) + dump({"v": one}))
bad("cut_off", dump({"w": one})[:-1])
bad("name_twice", dump({"a/b": one, "a": {"b": one}}))
bad("key_is_tuple", dump({("a", 1): one}))
bad("views", dump([np.ones(1 << 12)] * 10_000))
laughs: object = one
for _ in range(40):
    laughs = [laughs, laughs]
bad("laughs", dump(laughs))
deep: object = one
for _ in range(1001):
    deep = [deep]
sys.setrecursionlimit(10_000)
bad("nested_deeply", dump(deep))
