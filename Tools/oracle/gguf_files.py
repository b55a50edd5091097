"""Writes Fixtures/containers/gguf and Fixtures/codecs/ggml: python Tools/oracle/gguf_files.py

Files that must be read are written by gguf-py 0.19 (`GGUFWriter`), some of them big-endian or split; files that must be
refused are such files with a fault, each named after it. `blocks.gguf` has a tensor of every block type that gguf-py
decodes, random but for scales, which are finite numbers; `decoded.safetensors` is what gguf-py makes of them
(`gguf.quants.dequantize`). The types that gguf-py does not decode (Q8_1, Q8_K, Q1_0, Q2_0) are decoded here by the
formulas of ggml-quants.c.
"""

import struct
from pathlib import Path

import gguf
import numpy as np
from gguf import GGMLQuantizationType as Type, GGUFEndian, GGUFWriter
from gguf.quants import dequantize, quantize
from safetensors.numpy import save_file

FIXTURES = Path(__file__).resolve().parents[2] / "Fixtures"
FOLDER = FIXTURES / "containers" / "gguf"
RNG = np.random.default_rng(20261128)

# Where scales in half precision stand in a block, and how many bytes a block has.
SCALES = {
    Type.Q4_0: ([0], 18), Type.Q4_1: ([0, 2], 20), Type.Q5_0: ([0], 22), Type.Q5_1: ([0, 2], 24),
    Type.Q8_0: ([0], 34), Type.Q2_K: ([80, 82], 84), Type.Q3_K: ([108], 110), Type.Q4_K: ([0, 2], 144),
    Type.Q5_K: ([0, 2], 176), Type.Q6_K: ([208], 210), Type.IQ2_XXS: ([0], 66), Type.IQ2_XS: ([0], 74),
    Type.IQ2_S: ([0], 82), Type.IQ3_XXS: ([0], 98), Type.IQ3_S: ([0], 110), Type.IQ1_S: ([0], 50),
    Type.IQ1_M: ([], 56), Type.IQ4_NL: ([0], 18), Type.IQ4_XS: ([0], 136), Type.TQ1_0: ([52], 54),
    Type.TQ2_0: ([64], 66), Type.MXFP4: ([], 17), Type.NVFP4: ([], 36),
}  # fmt: skip


def random_blocks(count, places, size, rng=RNG):
    blocks = rng.integers(0, 256, (count, size), dtype=np.uint8)
    for place in places:
        scales = (rng.standard_normal(count) * 0.05).astype(np.float16)
        blocks[:, place : place + 2] = scales.view(np.uint8).reshape(-1, 2)
    return blocks


def iq1m_with_scales(blocks):
    """The scale's four parts are the upper halves of four bytes."""
    scales = (RNG.standard_normal(len(blocks)) * 0.05).astype(np.float16).view(np.uint16)
    for part in range(4):
        byte = blocks[:, 49 + 2 * part]
        blocks[:, 49 + 2 * part] = (byte & 0x0F) | ((scales >> (4 * part) & 15) << 4).astype(np.uint8)
    return blocks


def by_formula(name, blocks):
    """What gguf-py does not decode."""
    half = blocks[:, :2].copy().view(np.float16).astype(np.float32)
    match name:
        case "Q8_1":
            return half * blocks[:, 4:].view(np.int8).astype(np.float32)
        case "Q8_K":
            return blocks[:, :4].copy().view(np.float32) * blocks[:, 4:260].copy().view(np.int8).astype(np.float32)
        case "Q1_0":
            bits = np.unpackbits(blocks[:, 2:], axis=1, bitorder="little")
            return np.where(bits == 1, half, -half)
        case "Q2_0":
            codes = (blocks[:, 2:, None] >> np.array([0, 2, 4, 6], np.uint8)) & 3
            return (codes.reshape(len(blocks), 64).astype(np.float32) - 1) * half


def header(values=(), tensors=(), version=3):
    """The bytes of a file without its tensors' bytes, written by hand, for what no library would write."""
    out = b"GGUF" + struct.pack("<IQQ", version, len(tensors), len(values))
    for key, kind, content in values:
        out += text(key) + struct.pack("<I", kind) + content
    for name, extents, kind, offset in tensors:
        out += text(name) + struct.pack("<I", len(extents))
        out += b"".join(struct.pack("<Q", extent) for extent in extents) + struct.pack("<IQ", kind, offset)
    return out


def text(value):
    data = value if isinstance(value, bytes) else value.encode()
    return struct.pack("<Q", len(data)) + data


def filled(head, data=b"", alignment=32):
    return head + b"\0" * (-len(head) % alignment) + data


def put(path, data):
    assert len(data) <= 60_000, (path, len(data))
    target = FOLDER / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(data)


def write_values(writer):
    writer.add_uint8("some.uint8", 200)
    writer.add_int8("some.int8", -5)
    writer.add_uint16("some.uint16", 60000)
    writer.add_int16("some.int16", -30000)
    writer.add_uint32("some.uint32", 4_000_000_000)
    writer.add_int32("some.int32", -2_000_000_000)
    writer.add_float32("some.float32", 1e-5)
    writer.add_bool("some.bool", True)
    writer.add_string("some.text", "é \U0001f600\n")
    writer.add_uint64("some.uint64", 1 << 63)
    writer.add_int64("some.int64", -(1 << 62))
    writer.add_float64("some.float64", 0.1)
    writer.add_array("some.numbers", [1, -2, 3])
    writer.add_array("some.fractions", [0.5, 1.25])
    writer.add_array("some.texts", ["a", "", "ü"])
    writer.add_array("some.flags", [True, False])
    writer.add_array("some.lists", [[1, 2, 3], [-4]])
    writer.add_array("some.lists_of_texts", [["a", "bc"], ["ü"]])


def good(name, endianess=GGUFEndian.LITTLE, alignment=None, blocks=True):
    target = FOLDER / "good" / name
    target.parent.mkdir(parents=True, exist_ok=True)
    writer = GGUFWriter(target, "some", endianess=endianess)
    if alignment:
        writer.add_custom_alignment(alignment)
    write_values(writer)
    rng = np.random.default_rng(7)
    expected = {}
    for number, kind in enumerate([np.float32, np.float16, np.int8, np.int16, np.int32, np.int64, np.float64]):
        array = (rng.standard_normal((2, number + 1, 3)) * 100).astype(kind)
        expected[f"t.{np.dtype(kind).name}"] = array.copy()
        writer.add_tensor(f"t.{np.dtype(kind).name}", array)
    writer.add_tensor("t.one", np.array([2.5], np.float32))
    if blocks:
        for kind in [Type.Q4_0, Type.Q8_0, Type.Q4_K, Type.Q6_K, Type.MXFP4, Type.TQ2_0]:
            places, size = SCALES[kind]
            data = random_blocks(2, places, size, rng)
            expected[f"t.{kind.name}"] = data.copy()
            if endianess == GGUFEndian.BIG:
                for place in places:
                    data[:, [place, place + 1]] = data[:, [place + 1, place]]
            writer.add_tensor(f"t.{kind.name}", data.reshape(2, -1), raw_dtype=kind)
    expected["t.one"] = np.array([2.5], np.float32)
    expected["t.last"] = np.arange(64, dtype=np.float32)
    # The last one fills up to the alignment, so that every byte that is cut off is missed.
    writer.add_tensor("t.last", np.arange(64, dtype=np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    # What numpy has in memory; blocks as the bytes that they are.
    save_file(expected, FOLDER / f"{target.stem}.safetensors")


def split(folder):
    folder = FOLDER / "split" / folder
    folder.mkdir(parents=True, exist_ok=True)
    writer = GGUFWriter(folder / "model.gguf", "some", split_max_tensors=2)
    writer.add_string("general.name", "in parts")
    for number in range(5):
        writer.add_tensor(f"t.{number}", np.full((2, 4), number, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def bad():
    one = [("a", [4], 0, 0)]
    data = b"\1" * 32
    u32 = 4
    cases = {
        "magic_only": b"GGUF",
        "version_1": header(version=1),
        "version_4": header(version=4),
        "no_counts": header()[:12],
        "too_many_tensors": header()[:8] + struct.pack("<QQ", 1 << 40, 0),
        "count_beyond_int64": header()[:8] + struct.pack("<QQ", 1 << 63, 0),
        "too_many_values": header()[:8] + struct.pack("<QQ", 0, 1 << 40),
        "key_beyond_file": header()[:16] + struct.pack("<QQ", 1, 1000),
        "key_too_long": header()[:16] + struct.pack("<QQ", 1, 1 << 40),
        "key_empty": header([("", u32, struct.pack("<I", 1))]),
        "key_twice": header([("k", u32, struct.pack("<I", 1)), ("k", u32, struct.pack("<I", 2))]),
        "key_not_utf8": header([(b"\xff", u32, struct.pack("<I", 1))]),
        "value_type_unknown": header([("k", 13, b"")]),
        "value_cut_off": header([("k", 10, b"\0\0\0\0")]),
        "bool_is_two": header([("k", 7, b"\2")]),
        "text_beyond_file": header([("k", 8, struct.pack("<Q", 1 << 62))]),
        "text_not_utf8": header([("k", 8, text(b"\xc3"))]),
        "list_beyond_file": header([("k", 9, struct.pack("<IQ", 4, 1 << 61) + b"1234")]),
        "list_wraps": header([("k", 9, struct.pack("<IQ", 12, 1 << 62))]),
        "list_of_texts_beyond_file": header([("k", 9, struct.pack("<IQ", 8, 3) + text("a"))]),
        "lists_nested_deeply": header([("k", 9, struct.pack("<IQ", 9, 1) * 12 + struct.pack("<IQ", 0, 0))]),
        "list_of_bool_is_two": header([("k", 9, struct.pack("<IQ", 7, 2) + b"\1\2")]),
        "alignment_zero": header([("general.alignment", u32, struct.pack("<I", 0))], one),
        "alignment_no_power": header([("general.alignment", u32, struct.pack("<I", 24))], one),
        "alignment_is_text": header([("general.alignment", 8, text("32"))], one),
        "alignment_huge": header([("general.alignment", u32, struct.pack("<I", 1 << 31))], one),
        "name_twice": filled(header([], one + [("a", [4], 0, 32)]), data * 2),
        "name_not_utf8": filled(header([], [(b"\xe9", [4], 0, 0)]), data),
        "five_dimensions": filled(header([], [("a", [1, 1, 1, 1, 4], 0, 0)]), data),
        "extent_beyond_int64": filled(header([], [("a", [1 << 63], 0, 0)]), data),
        "bytes_wrap": filled(header([], [("a", [1 << 62, 8], 0, 0)]), data),
        "elements_wrap": filled(header([], [("a", [1 << 40, 1 << 40], 0, 0)]), data),
        "type_unknown": filled(header([], [("a", [4], 99, 0)]), data),
        "type_given_up": filled(header([], [("a", [32], 31, 0)]), data),
        "rows_no_blocks": filled(header([], [("a", [48, 2], 2, 0)]), data * 2),
        "offset_not_aligned": filled(header([], [("a", [4], 0, 8)]), data),
        "offset_wraps": filled(header([], [("a", [4], 0, (1 << 63) - 32)]), data),
        "gap_at_start": filled(header([], [("a", [4], 0, 32)]), data * 2),
        "gap": filled(header([], one + [("b", [4], 0, 64)]), data * 3),
        "overlap": filled(header([], [("a", [16], 0, 0), ("b", [4], 0, 32)]), data * 3),
        "same_offset": filled(header([], one + [("b", [4], 0, 0)]), data),
        "data_cut_off": filled(header([], one), data[:15]),
        "data_missing": header([], one),
        "data_left_over": filled(header([], one), data + b"\0"),
        "bytes_without_tensors": filled(header(), data),
        "big_endian_q5_0": big_endian_block(),
        "split_without_siblings": split_values(0, 3),
        "split_number_beyond_count": split_values(3, 3),
    }  # fmt: skip
    for name, content in cases.items():
        put(f"bad/{name}.gguf", content)


def big_endian_block():
    head = b"GGUF" + struct.pack(">IQQ", 3, 1, 0) + struct.pack(">Q", 1) + b"a"
    head += struct.pack(">IQIQ", 1, 32, 6, 0)
    return filled(head, b"\1" * 32)


def split_values(number, count):
    values = [("split.no", 2, struct.pack("<H", number)), ("split.count", 2, struct.pack("<H", count))]
    return filled(header(values, [("a", [4], 0, 0)]), b"\1" * 32)


def blocks():
    folder = FIXTURES / "codecs" / "ggml"
    folder.mkdir(parents=True, exist_ok=True)
    writer = GGUFWriter(folder / "blocks.gguf", "some")
    expected = {}
    for kind, (places, size) in SCALES.items():
        numbers = gguf.GGML_QUANT_SIZES[kind][0]
        # Rows of several blocks, few of those that are large.
        shape = (2, 3) if numbers < 256 else (2, 1)
        data = random_blocks(shape[0] * shape[1], places, size)
        if kind == Type.IQ1_M:
            data = iq1m_with_scales(data)
        if kind == Type.MXFP4:
            data[:, 0] = [0, 1, 2, 120, 127, 253]
        if kind == Type.NVFP4:
            data[:2, :4] = [[0, 1, 7, 8], [0x7E, 0x7F, 0x80, 0xFF]]
        rows = data.reshape(shape[0], -1)
        writer.add_tensor(kind.name, rows, raw_dtype=kind)
        expected[kind.name] = np.ascontiguousarray(dequantize(rows, kind), dtype=np.float32)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    tensors, body = [], b""
    for name, number, numbers, size in [("Q8_1", 9, 32, 36), ("Q8_K", 15, 256, 292), ("Q1_0", 41, 128, 18), ("Q2_0", 42, 64, 18)]:
        data = random_blocks(2, [0], size)
        if name == "Q8_K":
            data[:, :4] = np.array([[0.013], [-1.5]], np.float32).view(np.uint8)
        tensors.append((name, [2 * numbers], number, len(body)))
        body += data.tobytes() + b"\0" * (-data.size % 32)
        expected[name] = by_formula(name, data).astype(np.float32).reshape(-1)
    (folder / "others.gguf").write_bytes(filled(header([], tensors), body))
    save_file(expected, folder / "decoded.safetensors")


def quantised():
    """Numbers, and the blocks that gguf-py's quantiser makes of them: that of ggml's reference, bit for bit."""
    rng = np.random.default_rng(28)
    rows = rng.standard_normal((6, 96)).astype(np.float32)
    # A block of zeros, one of equal numbers, one with two that are equally far from zero, tiny ones, one large one.
    rows[0, :32], rows[0, 32:64], rows[1, :32] = 0, 0.75, np.tile([1.5, -1.5], 16)
    rows[2] *= 1e-6
    rows[3, 5] = 1000
    rows[4, :32] = np.arange(32) / 8
    types = [Type.Q8_0, Type.Q4_0, Type.Q4_1, Type.Q5_0, Type.Q5_1]
    blocks = {kind.name: quantize(rows, kind) for kind in types}
    save_file({"numbers": rows} | blocks, FIXTURES / "codecs" / "ggml" / "quantised.safetensors")


def main():
    good("every_type.gguf")
    good("big_endian.gguf", endianess=GGUFEndian.BIG)
    good("alignment_64.gguf", alignment=64, blocks=False)
    put("good/version_2.gguf", filled(header([("k", 4, struct.pack("<I", 7))], [("a", [2, 4], 0, 0)], 2), bytes(range(32))))
    put("good/no_tensors.gguf", header([("k", 9, struct.pack("<IQ", 9, 2) + 2 * (struct.pack("<IQ", 0, 3) + b"123"))]))
    tensors = [("e", [3, 0], 0, 0), ("s", [], 26, 0), ("l", [8], 0, 32)]
    put("good/empty_and_scalar.gguf", filled(header([], tensors), b"\7\0\0\0" + b"\0" * 60))
    split("parts")
    bad()
    blocks()
    quantised()


if __name__ == "__main__":
    main()
