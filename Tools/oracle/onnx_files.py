"""Writes Fixtures/containers/onnx, with ONNX's own package: python Tools/oracle/onnx_files.py"""

import struct

import numpy as np
import onnx
from ecosystem import DTYPES, Random, expect, folder
from onnx import TensorProto, helper, numpy_helper

ROOT = folder("onnx")
GOOD = ROOT / "good"
RANDOM = Random(20261130)
INFO = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1])


def model(initializers, nodes=(), **more) -> onnx.ModelProto:
    graph = helper.make_graph(list(nodes), "g", [], [INFO], list(initializers), **more)
    return helper.make_model(graph, ir_version=10, producer_name="oracle")


def put(name: str, proto: onnx.ModelProto, arrays: dict, asides: list[str] | None = None) -> None:
    path = GOOD / f"{name}.onnx"
    onnx.save_model(proto, str(path))
    again = onnx.load(str(path))
    for tensor in again.graph.initializer:
        if tensor.data_type != TensorProto.STRING and tensor.name in arrays:
            found = numpy_helper.to_array(tensor, base_dir=str(GOOD))
            assert found.tobytes() == np.ascontiguousarray(arrays[tensor.name]).tobytes(), tensor.name
    expect(path, arrays, asides)


def constant(output: str, **attribute) -> onnx.NodeProto:
    return helper.make_node("Constant", [], [output], **attribute)


every = {f"encoder.{name.lower()}.{part}": RANDOM.array(dtype, shape)
         for name, dtype in DTYPES.items()
         for part, shape in [("weight", (2, 3)), ("scalar", ()), ("empty", (0, 2))]}
every |= {"complex128": RANDOM.array("<c16", (2,)), "naïve/日本": RANDOM.floats(2)}
put("raw", model(numpy_helper.from_array(value, name) for name, value in every.items()), every)

# The same types as lists of numbers, as old exporters write them.
typed, values = [], {}
for name, dtype in DTYPES.items():
    number = helper.np_dtype_to_tensor_dtype(dtype)
    array = RANDOM.array(dtype, (3, 5))
    if dtype.kind == "f" and dtype.itemsize > 2 or dtype.kind == "c":
        array = RANDOM.generator.standard_normal((3, 5)).astype(dtype)
    tensor = onnx.TensorProto(name=name, data_type=number, dims=[3, 5])
    if dtype.kind in "biu" or dtype.itemsize <= 2:
        bits = array if dtype.kind in "biu" else array.view(f"<u{dtype.itemsize}")
        field = {"I64": "int64_data", "U64": "uint64_data", "U32": "uint64_data"}.get(name, "int32_data")
        getattr(tensor, field).extend(int(value) for value in bits.reshape(-1))
    else:
        flat = array.reshape(-1)
        parts = flat.view(f"<f{dtype.itemsize // 2}") if dtype.kind == "c" else flat
        (tensor.float_data if parts.dtype.itemsize == 4 else tensor.double_data).extend(parts.tolist())
    typed.append(tensor)
    values[name] = array
long = np.arange(-1000, 4500, dtype=np.int64) * 3
typed.append(onnx.TensorProto(name="long", data_type=TensorProto.INT64, dims=[5500],
                              int64_data=long.tolist()))
put("typed", model(typed), values | {"long": long})

nodes = [
    constant("w", value=numpy_helper.from_array(RANDOM.floats(2, 2), "other")),
    constant("float", value_float=1.5),
    constant("int", value_int=-7),
    constant("ints", value_ints=[1, 2]),
    constant("text", value_string="x"),
    helper.make_node("Add", ["w", "float"], ["y"], name="add"),
    # What stands in the branches is not read.
    helper.make_node(
        "If", ["y"], ["z"], name="if",
        then_branch=helper.make_graph([constant("inner", value_int=1)], "then", [], [INFO]),
        else_branch=helper.make_graph([constant("inner", value_int=2)], "else", [], [INFO])),
]
text = helper.make_tensor("labels", TensorProto.STRING, [2], [b"a", b"b"])
bias = RANDOM.floats(4)
put("constants", model([numpy_helper.from_array(bias, "bias"), text], nodes), {
    "bias": bias, "w": numpy_helper.to_array(nodes[0].attribute[0].t),
    "float": np.float32(1.5), "int": np.int64(-7),
}, ["ints: a constant (value_ints)", "text: a constant (value_string)",
    "z: the body of a node If", "labels: texts"])

# Bytes in other files: one for all, or one each in a folder.
large = {"a": RANDOM.floats(40, 8), "b": RANDOM.array("<f2", (600,)), "c": RANDOM.floats(3)}
onnx.save_model(
    model(numpy_helper.from_array(value, name) for name, value in large.items()),
    str(GOOD / "external.onnx"), save_as_external_data=True, location="external.onnx.data",
    size_threshold=100)
expect(GOOD / "external.onnx", large)

# Files that must be refused.


def tensor(name="a", dims=(2,), data_type=TensorProto.FLOAT, **fields) -> onnx.TensorProto:
    return onnx.TensorProto(name=name, dims=dims, data_type=data_type, **fields)


def bad(name: str, *tensors, data: bytes | None = None, **more) -> None:
    data = data or model(tensors, **more).SerializeToString()
    (ROOT / "bad" / f"{name}.onnx").write_bytes(data)


def external(**place) -> onnx.TensorProto:
    entries = [onnx.StringStringEntryProto(key=key, value=value) for key, value in place.items()]
    return tensor(data_location=TensorProto.EXTERNAL, external_data=entries)


good = tensor(raw_data=bytes(8))
whole = model([good]).SerializeToString()
bad("cut_off", data=whole[:-20])
bad("no_graph", data=onnx.ModelProto(ir_version=10, producer_name="x").SerializeToString())
bad("two_graphs", data=whole + whole[whole.index(b"\x3a"):])
bad("group", data=whole + b"\x0b")
bad("varint_too_long", data=whole + b"\x28" + b"\xff" * 11)
bad("name_twice", good, good)
bad("name_missing", tensor(name="", raw_data=bytes(8)))
bad("name_not_utf8", data=whole.replace(b"\x42\x01a", b"\x42\x01\xff"))
bad("size_too_small", tensor(raw_data=bytes(7)))
bad("data_missing", tensor())
bad("data_twice", tensor(raw_data=bytes(8), float_data=[1, 2]))


def raw_model(fields: bytes) -> bytes:
    """A model of one tensor whose fields are given as bytes."""
    message = b"\x08\x02\x10\x01\x42\x01a" + fields
    graph = b"\x2a" + bytes([len(message)]) + message
    return b"\x08\x0a\x3a" + bytes([len(graph)]) + graph


bad("raw_data_twice", data=raw_model((b"\x4a\x04" + bytes(4)) * 2))
bad("data_of_other_type", tensor(int32_data=[1, 2]))
bad("data_unpacked", data=raw_model((b"\x25" + bytes(4)) * 2))
bad("number_too_large", tensor(data_type=TensorProto.INT8, int32_data=[1, 128]))
bad("numbers_too_few", tensor(data_type=TensorProto.INT64, int64_data=[1]))
bad("shape_negative", tensor(dims=(-2,), raw_data=bytes(8)))
bad("shape_wraps", tensor(dims=(2**62, 4, 2), raw_data=bytes(8)))
bad("shape_rank_65", tensor(dims=(1,) * 65, raw_data=bytes(4)))
bad("dtype_missing", tensor(data_type=0, raw_data=bytes(8)))
bad("dtype_int4", tensor(data_type=TensorProto.INT4, raw_data=bytes(1)))
bad("dtype_unknown", tensor(data_type=99, raw_data=bytes(8)))
bad("f4_of_odd_count", tensor(dims=(3,), data_type=TensorProto.FLOAT4E2M1, raw_data=bytes(2)))
bad("segment", tensor(raw_data=bytes(8), segment=TensorProto.Segment(begin=0, end=2)))
bad("sparse", good, sparse_initializer=[onnx.SparseTensorProto(
    values=tensor(name="s", raw_data=bytes(8)), dims=[4])])
bad("external_up", external(location="../secret"))
bad("external_absolute", external(location="/etc/hostname"))
bad("external_dot", external(location="./x"))
bad("external_nowhere", external(offset="0"))
bad("external_missing", external(location="nothing.bin"))
bad("external_length_wrong", external(location="sparse.onnx", length="9"))
bad("external_offset_negative", external(location="sparse.onnx", offset="-1"))
bad("external_offset_past_end", external(location="sparse.onnx", offset="99999"))
bad("external_offset_huge", external(location="sparse.onnx", offset="9" * 30))
bad("external_and_inside", tensor(
    raw_data=bytes(8), data_location=TensorProto.EXTERNAL,
    external_data=[onnx.StringStringEntryProto(key="location", value="sparse.onnx")]))
