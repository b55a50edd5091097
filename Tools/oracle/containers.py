"""Writes Fixtures/containers: python Tools/oracle/containers.py

`{safetensors,npy,npz}/good/` are files that must be read; `manifest.json` says what is in them, as
numpy and safetensors see it. `bad/` are files that must be refused, each named after its fault.
Good files come from the original libraries where these can write them. Everything is seeded: a
second run writes the same bytes.
"""

import ctypes
import io
import json
import shutil
import struct
import zipfile
import zlib
from pathlib import Path

import ml_dtypes
import numpy as np
from safetensors import TensorSpec, serialize

ROOT = Path(__file__).resolve().parents[2] / "Fixtures" / "containers"
RNG = np.random.default_rng(20240611)
MANIFEST: dict[str, list[dict]] = {}

# safetensors' name, the library's name, bytes an element, numpy's type
DTYPES = [
    ("BOOL", "bool", 1, np.dtype(bool)),
    ("U8", "uint8", 1, np.dtype("u1")),
    ("I8", "int8", 1, np.dtype("i1")),
    ("F8_E5M2", "float8_e5m2", 1, np.dtype(ml_dtypes.float8_e5m2)),
    ("F8_E4M3", "float8_e4m3fn", 1, np.dtype(ml_dtypes.float8_e4m3fn)),
    ("F8_E8M0", "float8_e8m0fnu", 1, np.dtype(ml_dtypes.float8_e8m0fnu)),
    ("F8_E4M3FNUZ", "float8_e4m3fnuz", 1, np.dtype(ml_dtypes.float8_e4m3fnuz)),
    ("F8_E5M2FNUZ", "float8_e5m2fnuz", 1, np.dtype(ml_dtypes.float8_e5m2fnuz)),
    ("U16", "uint16", 2, np.dtype("<u2")),
    ("I16", "int16", 2, np.dtype("<i2")),
    ("F16", "float16", 2, np.dtype("<f2")),
    ("BF16", "bfloat16", 2, np.dtype(ml_dtypes.bfloat16)),
    ("U32", "uint32", 4, np.dtype("<u4")),
    ("I32", "int32", 4, np.dtype("<i4")),
    ("F32", "float32", 4, np.dtype("<f4")),
    ("C64", "complex64", 8, np.dtype("<c8")),
    ("F64", "float64", 8, np.dtype("<f8")),
    ("I64", "int64", 8, np.dtype("<i8")),
    ("U64", "uint64", 8, np.dtype("<u8")),
]
NAMES = {numpy_type: name for name, _, _, numpy_type in DTYPES} | {np.dtype("<c16"): "C128"}
ODD_NAMES = ["a/b", "..", "../up", "x", "\u00e9", "e\u0301", "\U0001f600", " ", "tab\t", 'q"\\', ""]


def put(path: str, data: bytes, tensors: list[dict] | None = None) -> None:
    assert len(data) < 4096, (path, len(data))
    target = ROOT / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(data)
    if tensors is not None:
        MANIFEST[path] = tensors


def random_bytes(count: int) -> bytes:
    return RNG.integers(0, 256, count, dtype=np.uint8).tobytes()


def random_array(dtype: np.dtype, shape: tuple[int, ...]) -> np.ndarray:
    count = int(np.prod(shape)) * dtype.itemsize
    raw = RNG.integers(0, 2 if dtype == bool else 256, count, dtype=np.uint8)
    return np.frombuffer(raw.tobytes(), dtype).reshape(shape)


def described(name: str, array: np.ndarray) -> dict:
    little = array.astype(array.dtype.newbyteorder("<")) if array.dtype.byteorder == ">" else array
    dtype = little.dtype if little.dtype.isbuiltin else np.dtype(little.dtype)
    return {
        "name": name,
        "dtype": NAMES[dtype],
        "shape": list(array.shape),
        "bytes": np.ascontiguousarray(little).tobytes().hex(),
    }


# safetensors


def reference(tensors: dict[str, tuple[str, list[int], bytes]], metadata=None) -> bytes:
    """What the library writes for `tensors`: name -> dtype, shape, bytes."""
    buffers = {
        name: ctypes.create_string_buffer(data, max(1, len(data)))
        for name, (_, _, data) in tensors.items()
    }
    specs = {
        name: TensorSpec(
            dtype=dtype, shape=shape, data_ptr=ctypes.addressof(buffers[name]), data_len=len(data)
        )
        for name, (dtype, shape, data) in tensors.items()
    }
    return bytes(serialize(specs, metadata))


def framed(header: str | bytes, data: bytes = b"", length: int | None = None) -> bytes:
    if isinstance(header, str):
        header = header.encode()
    return struct.pack("<Q", len(header) if length is None else length) + header + data


def entry(dtype="F32", shape="[2]", offsets="[0,8]") -> str:
    return '{"dtype":"%s","shape":%s,"data_offsets":%s}' % (dtype, shape, offsets)


def order_of(data: bytes) -> list[str]:
    length = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8 : 8 + length])
    header.pop("__metadata__", None)
    return sorted(header, key=lambda name: header[name]["data_offsets"])


def put_reference(path: str, tensors: dict, metadata=None) -> None:
    data = reference(tensors, metadata)
    spelling = {library: name for name, library, _, _ in DTYPES} | {"float4_e2m1fn_x2": "F4"}
    described_tensors = []
    for name in order_of(data):
        dtype, shape, content = tensors[name]
        if dtype == "float4_e2m1fn_x2":
            shape = shape[:-1] + [shape[-1] * 2]
        described_tensors.append(
            {"name": name, "dtype": spelling[dtype], "shape": shape, "bytes": content.hex()}
        )
    put(path, data, described_tensors)


def safetensors_good() -> None:
    every = {}
    for number, (name, library, width, _) in enumerate(DTYPES):
        shape = [[3], [2, 2], [1, 1, 2]][number % 3]
        size = int(np.prod(shape)) * width
        data = bytes(b & 1 for b in random_bytes(size)) if name == "BOOL" else random_bytes(size)
        every[name.lower()] = (library, shape, data)
    every["f4"] = ("float4_e2m1fn_x2", [2, 3], random_bytes(6))
    put_reference("safetensors/good/every_dtype.safetensors", every, {"format": "pt"})
    put_reference("safetensors/good/no_tensors.safetensors", {})
    put_reference(
        "safetensors/good/metadata_only.safetensors", {}, {"key": 'value \u00e9 \n" \\ /'}
    )
    put_reference(
        "safetensors/good/shapes.safetensors",
        {
            "scalar": ("float32", [], random_bytes(4)),
            "empty": ("float32", [0], b""),
            "empty_huge": ("float32", [0, 2**62, 2**62], b""),
            "empty_middle": ("int64", [3, 0, 2], b""),
            "ones": ("uint8", [1] * 20, random_bytes(1)),
        },
    )
    put_reference(
        "safetensors/good/names.safetensors",
        {name: ("uint8", [2], random_bytes(2)) for name in ODD_NAMES},
    )
    marked = ["BF16", "F8_E5M2", "F8_E4M3", "F8_E8M0", "F8_E4M3FNUZ", "F8_E5M2FNUZ", "F32"]
    put_reference(
        "safetensors/good/marked_dtypes.safetensors",
        {
            name: (library, [3], random_bytes(3 * width))
            for name, library, width, _ in DTYPES
            if name in marked
        },
        {"format": "pt"},
    )
    six = random_bytes(12)
    put(
        "safetensors/good/six_bits.safetensors",
        framed(
            '{"a":'
            + entry("F6_E2M3", "[2,4]", "[0,6]")
            + ',"b":'
            + entry("F6_E3M2", "[8]", "[6,12]")
            + "}",
            six,
        ),
        [
            {"name": "a", "dtype": "F6_E2M3", "shape": [2, 4], "bytes": six[:6].hex()},
            {"name": "b", "dtype": "F6_E3M2", "shape": [8], "bytes": six[6:].hex()},
        ],
    )
    data = random_bytes(16)
    put(
        "safetensors/good/header_in_other_order.safetensors",
        framed('{"b":' + entry(offsets="[8,16]") + ',"a":' + entry() + "}", data),
        [
            {"name": "a", "dtype": "F32", "shape": [2], "bytes": data[:8].hex()},
            {"name": "b", "dtype": "F32", "shape": [2], "bytes": data[8:].hex()},
        ],
    )
    put(
        "safetensors/good/spaces_and_escapes.safetensors",
        framed(
            '{ "\\u0061" : { "shape" : [ 2 ] ,\n"data_offsets":[0,8], "dtype":"\\u004632" } }   ',
            data[:8],
        ),
        [{"name": "a", "dtype": "F32", "shape": [2], "bytes": data[:8].hex()}],
    )
    put(
        "safetensors/good/empty_metadata.safetensors",
        framed('{"__metadata__":{},"a":' + entry() + "}", data[:8]),
        [{"name": "a", "dtype": "F32", "shape": [2], "bytes": data[:8].hex()}],
    )


def safetensors_bad() -> None:
    good = '{"a":' + entry() + "}"
    eight = bytes(8)
    bad = {
        "empty": b"",
        "seven_bytes": bytes(7),
        "header_length_beyond_file": framed(good, length=10**6),
        "header_length_max": framed(good, length=2**64 - 1),
        "header_over_limit": framed(good, length=100_000_001),
        "header_length_zero": framed("", eight),
        "header_not_utf8": framed(good.encode().replace(b"a", b"\xff"), eight),
        "header_with_bom": framed(b"\xef\xbb\xbf" + good.encode(), eight),
        "header_begins_with_space": framed(" " + good, eight),
        "header_is_array": framed("[" + good + "]", eight),
        "header_cut_off": framed(good[:-1], eight),
        "header_nul_padding": framed(good.encode() + b"\0\0", eight),
        "header_two_objects": framed(good + good, eight),
        "header_single_quotes": framed(good.replace('"', "'"), eight),
        "header_nested_deeply": framed('{"a":' * 5 + "[" * 100 + "]" * 100 + "}" * 5, eight),
        "duplicate_name": framed(
            '{"a":' + entry() + ',"a":' + entry(offsets="[8,16]") + "}", bytes(16)
        ),
        "duplicate_name_escaped": framed('{"a":' + entry() + ',"\\u0061":' + entry() + "}", eight),
        "duplicate_key": framed(
            '{"a":{"dtype":"F32","dtype":"F32","shape":[2],"data_offsets":[0,8]}}', eight
        ),
        "lone_surrogate": framed('{"\\ud800":' + entry() + "}", eight),
        "entry_is_null": framed('{"a":null}', eight),
        "entry_without_shape": framed('{"a":{"dtype":"F32","data_offsets":[0,8]}}', eight),
        "entry_with_more": framed(
            '{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8],"device":"cpu"}}', eight
        ),
        "key_with_nul": framed(
            '{"a":{"dtype\\u0000x":"F32","shape":[2],"data_offsets":[0,8]}}', eight
        ),
        "dtype_unknown": framed('{"a":' + entry("F128") + "}", eight),
        "dtype_c128": framed('{"a":' + entry("C128", "[1]", "[0,16]") + "}", bytes(16)),
        "dtype_lower_case": framed('{"a":' + entry("f32") + "}", eight),
        "dtype_is_number": framed('{"a":{"dtype":1,"shape":[2],"data_offsets":[0,8]}}', eight),
        "shape_negative": framed('{"a":' + entry(shape="[-2]") + "}", eight),
        "shape_minus_zero": framed('{"a":' + entry(shape="[-0]", offsets="[0,0]") + "}"),
        "shape_fraction": framed('{"a":' + entry(shape="[2.0]") + "}", eight),
        "shape_exponent": framed('{"a":' + entry(shape="[2e0]") + "}", eight),
        "shape_string": framed('{"a":' + entry(shape='["2"]') + "}", eight),
        "shape_beyond_int64": framed('{"a":' + entry(shape="[18446744073709551615]") + "}", eight),
        "shape_beyond_uint64": framed('{"a":' + entry(shape="[18446744073709551618]") + "}", eight),
        "shape_product_wraps": framed(
            '{"a":' + entry(shape="[4611686018427387904,4,2]") + "}", eight
        ),
        "shape_bits_wrap": framed('{"a":' + entry(shape="[576460752303423490]") + "}", eight),
        "shape_rank_65": framed(
            '{"a":' + entry(shape="[" + ",".join(["1"] * 65) + "]", offsets="[0,4]") + "}", bytes(4)
        ),
        "sub_byte_not_whole": framed('{"a":' + entry("F4", "[3]", "[0,2]") + "}", bytes(2)),
        "size_too_small": framed('{"a":' + entry(shape="[3]") + "}", eight),
        "size_too_large": framed('{"a":' + entry(shape="[1]") + "}", eight),
        "offsets_reversed": framed('{"a":' + entry(shape="[0]", offsets="[8,0]") + "}", eight),
        "offsets_three": framed('{"a":' + entry(offsets="[0,4,8]") + "}", eight),
        "offsets_wrap": framed('{"a":' + entry(offsets="[18446744073709551608,0]") + "}", eight),
        "offsets_gap_at_start": framed('{"a":' + entry(offsets="[4,12]") + "}", bytes(12)),
        "offsets_gap": framed(
            '{"a":' + entry() + ',"b":' + entry(offsets="[12,20]") + "}", bytes(20)
        ),
        "offsets_overlap": framed(
            '{"a":' + entry() + ',"b":' + entry(offsets="[4,12]") + "}", bytes(12)
        ),
        "offsets_same": framed('{"a":' + entry() + ',"b":' + entry() + "}", eight),
        "data_cut_off": framed(good, bytes(7)),
        "data_left_over": framed(good, bytes(9)),
        "metadata_not_strings": framed('{"__metadata__":{"a":1},"a":' + entry() + "}", eight),
        "metadata_is_list": framed('{"__metadata__":[],"a":' + entry() + "}", eight),
        "metadata_duplicate": framed(
            '{"__metadata__":{"a":"1","a":"2"},"a":' + entry() + "}", eight
        ),
        "git_lfs_pointer": b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n",
        "web_page": b"<!DOCTYPE html>\n<html><body>Not Found</body></html>",
        "ggml": b"lmgg\x01\0\0\0" + bytes(16),
        "pickle": b"\x80\x02}q\x00.",
    }
    for name, data in bad.items():
        put(f"safetensors/bad/{name}.safetensors", data)


# npy


def npy(array: np.ndarray, version=None) -> bytes:
    file = io.BytesIO()
    np.lib.format.write_array(file, array, version=version, allow_pickle=True)
    return file.getvalue()


def raw_npy(header: str, data: bytes = b"", version=1, length: int | None = None) -> bytes:
    text = header.encode("latin1") + b"\n"
    size = len(text) if length is None else length
    return (
        b"\x93NUMPY"
        + bytes([version, 0])
        + struct.pack("<H" if version == 1 else "<I", size)
        + text
        + data
    )


def put_npy(name: str, array: np.ndarray, data: bytes | None = None) -> None:
    put(f"npy/good/{name}.npy", npy(array) if data is None else data, [described(name, array)])


def npy_good() -> None:
    for name, _, _, dtype in DTYPES:
        if dtype.isbuiltin == 1:
            put_npy(name.lower(), random_array(dtype, (2, 3)))
    put_npy("c128", random_array(np.dtype("<c16"), (2,)))
    put_npy("bfloat16", random_array(np.dtype(ml_dtypes.bfloat16), (2, 3)))
    put_npy("float8_e5m2", random_array(np.dtype(ml_dtypes.float8_e5m2), (5,)))
    for kind in ("u2", "i4", "f2", "f4", "f8", "c8", "c16"):
        array = random_array(np.dtype("<" + kind), (3, 2)).astype(">" + kind)
        put_npy(f"big_endian_{kind}", array)
    put_npy("fortran", np.asfortranarray(random_array(np.dtype("<f4"), (3, 5))))
    put_npy("fortran_three_axes", np.asfortranarray(random_array(np.dtype("<i2"), (2, 3, 4))))
    put_npy(
        "fortran_big_endian",
        np.asfortranarray(random_array(np.dtype("<f4"), (4, 2, 3)).astype(">f4")),
    )
    put_npy("scalar", random_array(np.dtype("<f8"), ()))
    put_npy("empty", np.zeros((0, 3), "<f4"))
    put_npy("empty_fortran", np.asfortranarray(np.zeros((2, 0, 3), "<f4")))
    array = random_array(np.dtype("<f4"), (2, 2))
    put_npy("version_2", array, npy(array, (2, 0)))
    put_npy("version_3", array, npy(array, (3, 0)))
    data = array.tobytes()
    put_npy(
        "python_2_longs",
        array,
        raw_npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2L, 2L), }", data),
    )
    put_npy(
        "other_key_order",
        array,
        raw_npy('{"shape":(2,2,),"descr":"<f4","fortran_order":False}', data),
    )


def npy_bad() -> None:
    def header(descr="'<f4'", order="False", shape="(2,)", rest=""):
        return "{'descr': %s, 'fortran_order': %s, 'shape': %s, %s}" % (descr, order, shape, rest)

    eight = bytes(8)
    bad = {
        "magic_only": b"\x93NUMPY",
        "no_length": b"\x93NUMPY\x01\x00\x10",
        "version_4": raw_npy(header(), eight, version=4),
        "header_beyond_file": raw_npy(header(), eight, length=60_000),
        "header_over_limit": raw_npy(header(), eight, version=2, length=2**31),
        "data_cut_off": raw_npy(header(), bytes(7)),
        "data_left_over": raw_npy(header(), bytes(9)),
        "object": npy(np.array([None, {}], dtype=object)),
        "structured": npy(np.zeros(2, [("a", "<f4"), ("b", "<i4")])),
        "text": npy(np.array(["a", "bc"])),
        "byte_string": npy(np.array([b"a", b"bc"])),
        "dates": npy(np.zeros(2, "<M8[s]")),
        "long_double": npy(np.zeros(2, np.longdouble)),
        "raw_byte": npy(np.zeros(2, ml_dtypes.float8_e4m3fn)),
        "raw_bytes": npy(np.zeros(2, "V3")),
        "code": raw_npy("__import__('os').system('false')", eight),
        "descr_expression": raw_npy(header(descr="'<' + 'f4'"), eight),
        "descr_machine_dependent": raw_npy(header(descr="'l'"), eight),
        "descr_unknown": raw_npy(header(descr="'<q4'"), eight),
        "key_twice": raw_npy(header(rest="'shape': (2,)"), eight),
        "key_unknown": raw_npy(header(rest="'name': 'x'"), eight),
        "key_missing": raw_npy("{'descr': '<f4', 'shape': (2,)}", eight),
        "order_is_number": raw_npy(header(order="0"), eight),
        "shape_is_number": raw_npy(header(shape="(2)"), eight),
        "shape_is_list": raw_npy(header(shape="[2]"), eight),
        "shape_negative": raw_npy(header(shape="(-2,)"), eight),
        "shape_leading_zero": raw_npy(header(shape="(02,)"), eight),
        "shape_overflow": raw_npy(header(shape="(99999999999999999999,)"), eight),
        "shape_product_wraps": raw_npy(header(shape="(4611686018427387904, 4, 2)"), eight),
        "text_after_header": raw_npy(header() + " x", eight),
        "nul_in_header": raw_npy(header().replace("<f4", "<f4\0"), eight),
    }
    for name, data in bad.items():
        put(f"npy/bad/{name}.npy", data)


def npy_spellings() -> None:
    """How numpy reads type strings: as which of its own, or not at all."""
    sizes = [f"{kind}{size}" for kind in "iufcbV" for size in (1, 2, 3, 4, 8, 16, 32)]
    more = "S4 U4 M8 m8 M8[s] O a4 e2 d8 f4,f4 f04 i08 01f4 2f4 -1f4 (2,)f4 f4x f+4 f".split()
    ones = ["1f4", "1i8", "1?", "(1,)f4", "()f4", "1V2", "1"]
    words = sorted({name for name in np.sctypeDict if isinstance(name, str)})
    spellings = sizes + more + ones + words + list(np.typecodes["All"]) + list("?xyzjkNT") + [""]
    known: dict[str, str | None] = {}
    for order in ("", "<", ">", "|", "=", "!"):
        for text in spellings:
            header = "{'descr': %r, 'fortran_order': False, 'shape': (2,), }" % (order + text)
            try:
                array = np.lib.format.read_array(io.BytesIO(raw_npy(header, bytes(64))), allow_pickle=False)
                known[order + text] = array.dtype.str if array.shape == (2,) else None
            except (ValueError, TypeError, SyntaxError):
                known[order + text] = None
    lines = ",\n".join(f" {json.dumps(key)}: {json.dumps(known[key])}" for key in sorted(known))
    (ROOT / "npy" / "spellings.json").write_text("{\n" + lines + "\n}\n")


# npz


class Unseekable(io.RawIOBase):
    """A stream that makes zipfile write data descriptors."""

    def __init__(self):
        self.data = bytearray()

    def writable(self):
        return True

    def write(self, data):
        self.data += data
        return len(data)


def zipped(
    arrays: dict[str, np.ndarray], compressed=False, stream=False, zip64=True, comment=b""
) -> bytes:
    """As numpy.savez does it, with a fixed date."""
    file = Unseekable() if stream else io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.comment = comment
        for name, array in arrays.items():
            info = zipfile.ZipInfo(name + ".npy")
            info.compress_type = zipfile.ZIP_DEFLATED if compressed else zipfile.ZIP_STORED
            with archive.open(info, "w", force_zip64=zip64) as member:
                member.write(npy(array))
    return bytes(file.data) if stream else file.getvalue()


def with_zip64_end(data: bytes, count=None, start=None, record_at=None, short=None) -> bytes:
    """`data` with 64-bit end records; the short record has `short`, else all ones."""
    end = data.rindex(b"PK\5\6")
    true_count, size, true_start = struct.unpack("<HII", data[end + 10 : end + 20])
    count = true_count if count is None else count
    start = true_start if start is None else start
    record = b"PK\6\6" + struct.pack(
        "<QHHIIQQQQ", 44, 45, 45, 0, 0, count, count, size, start
    )
    locator = b"PK\6\7" + struct.pack("<IQI", 0, end if record_at is None else record_at, 1)
    last = b"PK\5\6" + struct.pack(
        "<HHHHIIH", 0, 0, *(short or (0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF)), 0
    )
    return data[:end] + record + locator + last


def put_npz(name: str, arrays: dict[str, np.ndarray], **options) -> None:
    put(
        f"npz/good/{name}.npz",
        zipped(arrays, **options),
        [described(key, array) for key, array in arrays.items()],
    )


def npz_good() -> None:
    f4, i8, f8 = (np.dtype(kind) for kind in ("<f4", "<i8", "<f8"))
    two = {"a": random_array(f4, (2, 3)), "layers/0/b": random_array(i8, (4,))}
    put_npz("stored", two)
    put_npz("deflated", two, compressed=True)
    put_npz("stored_without_zip64", two, zip64=False)
    put_npz("streamed", two, stream=True, zip64=False)
    put_npz("streamed_deflated_zip64", two, stream=True, compressed=True)
    put_npz("comment", two, comment=b"somebody's comment")
    put_npz("empty", {})
    put_npz(
        "zeros_deflated",
        {"z": np.zeros((300, 500), f8)[:5, :7].copy(), "big": np.zeros(4000, "u1")},
        compressed=True,
    )
    put(
        "npz/good/zip64_end.npz",
        with_zip64_end(zipped(two)),
        [described(key, array) for key, array in two.items()],
    )
    large = {"zeros": np.zeros(1_500_000, "u1")}
    put(
        "npz/good/large_deflated.npz",
        zipped(large, compressed=True),
        [{"name": "zeros", "dtype": "U8", "shape": [1_500_000], "zeros": 1_500_000}],
    )
    put_npz(
        "fortran_deflated",
        {
            "f": np.asfortranarray(random_array(f4, (5, 7))),
            "g": np.asfortranarray(random_array(f8, (2, 3, 4))),
        },
        compressed=True,
    )
    put_npz("shapes", {"scalar": random_array(f8, ()), "none": np.zeros((0, 2), f4)})
    put_npz("bfloat16", {"w": random_array(np.dtype(ml_dtypes.bfloat16), (3,))})
    put_npz("names", {name: random_array(np.dtype("u1"), (1,)) for name in ODD_NAMES})
    weight = np.array([[1, -2], [3, 0.5]], f4)
    texts = {
        "config": np.array('{"layers": 2}'),
        "bytes": np.array([b"ab", b"c"]),
        "when": np.array(["2024-02-29"], "<M8[D]"),
        "long": np.array(5, "<m8[s]"),
    }
    put("npz/good/texts.npz", zipped({**texts, "w": weight}), [described("w", weight)])


def patched(data: bytes, *changes: tuple[int, bytes]) -> bytes:
    data = bytearray(data)
    for offset, new in changes:
        data[offset : offset + len(new)] = new
    return bytes(data)


def npz_bad() -> None:
    array = np.arange(6, dtype="<f4")
    good = zipped({"a": array}, zip64=False)
    deflated = zipped({"a": array}, compressed=True, zip64=False)
    directory = good.index(b"PK\1\2")
    end = good.index(b"PK\5\6")
    deflated_directory = deflated.index(b"PK\1\2")
    deflated_size = struct.unpack("<I", deflated[18:22])[0]

    def with_gap(at: int, gap: bytes) -> bytes:
        moved = good[:at] + gap + good[at:]
        return patched(moved, (end + len(gap) + 16, struct.pack("<I", directory + len(gap))))

    def declares(data: bytes, where: int, size: int, *fields: int) -> bytes:
        packed = struct.pack("<I", size)
        return patched(data, *[(offset, packed) for offset in fields])

    def squeezed(content: bytes, declared: int) -> bytes:
        """A deflated member a.npy of `content` that says it has `declared` bytes."""
        packer = zlib.compressobj(9, zlib.DEFLATED, -15)
        packed = packer.compress(content) + packer.flush()
        facts = struct.pack("<HHHIII", 8, 0, 0x21, zlib.crc32(content), len(packed), declared)
        local = b"PK\3\4\x14\0\0\0" + facts + struct.pack("<HH", 5, 0) + b"a.npy" + packed
        entry = (
            b"PK\1\2\x14\3\x14\0\0\0"
            + facts
            + struct.pack("<HHHHHII", 5, 0, 0, 0, 0, 0, 0)
            + b"a.npy"
        )
        return (
            local
            + entry
            + b"PK\5\6"
            + struct.pack("<HHHHIIH", 0, 0, 1, 1, len(entry), len(local), 0)
        )

    two = zipped({"a": array, "b": array}, zip64=False)
    # A member that is, whole, inside another.
    inner = zipped({"b": array}, zip64=False)
    inner_directory = inner.index(b"PK\1\2")
    outer = io.BytesIO()
    with zipfile.ZipFile(outer, "w") as archive:
        archive.writestr(zipfile.ZipInfo("a.npy"), inner[:inner_directory])
    outer = outer.getvalue()
    outer_directory, outer_end = outer.index(b"PK\1\2"), outer.index(b"PK\5\6")
    inner_entry = patched(
        inner[inner_directory : inner.index(b"PK\5\6")], (42, struct.pack("<I", 35))
    )
    nested = (
        outer[:outer_end]
        + inner_entry
        + b"PK\5\6"
        + struct.pack(
            "<HHHHIIH",
            0,
            0,
            2,
            2,
            outer_end - outer_directory + len(inner_entry),
            outer_directory,
            0,
        )
    )
    no_npy = io.BytesIO()
    with zipfile.ZipFile(no_npy, "w") as archive:
        archive.writestr(zipfile.ZipInfo("readme.txt"), b"hello")
    folder = io.BytesIO()
    with zipfile.ZipFile(folder, "w") as archive:
        archive.writestr(zipfile.ZipInfo("folder/"), b"")
    twice = two.replace(b"b.npy", b"a.npy")
    extra = struct.pack("<HH", 0x7075, 10) + b"\x01" + bytes(4) + b"b.npy"
    second_name = (
        good[:directory]
        + good[directory : directory + 30]
        + struct.pack("<H", len(extra))
        + good[directory + 32 : end]
        + extra
        + patched(good[end:], (12, struct.pack("<I", end - directory + len(extra))))
    )
    zip64_beside = (
        good[:directory]
        + good[directory : directory + 30]
        + struct.pack("<H", 12)
        + good[directory + 32 : end]
        + struct.pack("<HHQ", 1, 8, 1)
        + patched(good[end:], (12, struct.pack("<I", end - directory + 12)))
    )
    count_max = patched(good, (end + 8, b"\xfe\xff\xfe\xff"))
    bad = {
        "zip64_count_differs": with_zip64_end(good, short=(2, 2, 0xFFFFFFFF, 0xFFFFFFFF)),
        "zip64_count_huge": with_zip64_end(good, count=2**40),
        "zip64_count_negative": with_zip64_end(good, count=2**63),
        "zip64_record_elsewhere": with_zip64_end(good, record_at=0),
        "zip64_record_broken": with_zip64_end(good).replace(b"PK\6\6", b"PK\6\5"),
        "zip64_start_wrong": with_zip64_end(good, start=0),
        "zip64_offset_missing": patched(good, (directory + 42, b"\xff\xff\xff\xff")),
        "comment_of_ours_broken": zipped({"a": array}, comment=b'{"format":"tfkit.npz/1",}'),
        "comment_of_later_version": zipped({"a": array}, comment=b'{"format":"tfkit.npz/2"}'),
        "comment_promises_metadata": zipped(
            {"a": array}, comment=b'{"format":"tfkit.npz/1","metadata_bytes":9}'
        ),
        "cut_off": good[:-30],
        "end_record_cut_off": good[:-1],
        "signature_only": b"PK\3\4",
        "member_twice": twice,
        "no_array": no_npy.getvalue(),
        "folder_entry": folder.getvalue(),
        "encrypted": patched(good, (6, b"\1"), (directory + 8, b"\1")),
        "method_unknown": patched(good, (8, b"\x0c"), (directory + 10, b"\x0c")),
        "version_too_new": patched(good, (4, b"\x6d"), (directory + 6, b"\x6d")),
        "name_differs": patched(good, (30, b"b")),
        "name_not_utf8": good.replace(b"a.npy", b"\xff.npy"),
        "name_with_nul": good.replace(b"a.npy", b"\0.npy"),
        "second_name": second_name,
        "size_differs": declares(good, 0, 9, 18, 22),
        "flags_differ": patched(good, (7, b"\x08")),
        "method_differs": patched(good, (8, b"\x08")),
        "crc_differs": patched(good, (14, b"\0\0\0\0")),
        "crc_wrong": patched(good, (14, b"\1\2\3\4"), (directory + 16, b"\1\2\3\4")),
        "crc_wrong_deflated": patched(
            deflated, (14, b"\1\2\3\4"), (deflated_directory + 16, b"\1\2\3\4")
        ),
        "data_changed": patched(good, (directory - 1, b"\xff")),
        "stored_with_two_sizes": declares(good, 0, 9, 18, directory + 20),
        "deflated_bomb": declares(deflated, 0, deflated_size * 1033, 22, deflated_directory + 24),
        "deflated_more_than_declared": squeezed(npy(array) + b"x", 152),
        "deflated_less_than_declared": squeezed(npy(array)[:-1], 152),
        "deflated_garbage": patched(deflated, (35, b"\xff" * 8)),
        "offset_beyond_file": declares(good, 0, 10**6, directory + 42),
        "members_overlap": nested,
        "members_same": declares(two, 0, 0, two.rindex(b"PK\1\2") + 42),
        "gap_before_first": patched(
            with_gap(0, b"#!/bin/sh\n"), (directory + 10 + 42, struct.pack("<I", 10))
        ),
        "gap_before_directory": with_gap(directory, b"hidden"),
        "gap_after_directory": good[:end] + b"hidden" + good[end:],
        "data_after_end": good + b"x",
        "two_end_records": good + good[end:],
        "end_record_in_comment": patched(good, (end + 20, struct.pack("<H", 22))) + good[end:],
        "count_too_large": count_max,
        "count_too_small": patched(two, (len(two) - 14, b"\1\0\1\0")),
        "counts_differ": patched(good, (end + 8, b"\0\0")),
        "zip64_beside_sizes": zip64_beside,
        "directory_size_wrong": patched(good, (end + 12, struct.pack("<I", end - directory - 1))),
        "object_inside": zipped({"a": np.array([None], dtype=object)}),
        "array_cut_off": declares(good, 0, 151, 18, 22),
        "raw_byte_inside": zipped({"a": np.zeros(2, ml_dtypes.float8_e4m3fn)}),
    }
    for name, data in bad.items():
        put(f"npz/bad/{name}.npz", data)
    assert zlib.crc32(npy(array)) == struct.unpack("<I", good[14:18])[0]


def main() -> None:
    for kind in ("safetensors", "npy", "npz"):
        for quality in ("good", "bad"):
            shutil.rmtree(ROOT / kind / quality, ignore_errors=True)
    safetensors_good()
    safetensors_bad()
    npy_good()
    npy_bad()
    npy_spellings()
    npz_good()
    npz_bad()
    (ROOT / "manifest.json").write_text(json.dumps(MANIFEST, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
