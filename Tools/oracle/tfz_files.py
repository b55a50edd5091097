"""Writes Fixtures/containers/tfz: python Tools/oracle/tfz_files.py

`good/` are files that must be read, made by Tools/tfz.py; `manifest.json` says what is in them. `version1/`
has some of them as tfkit 0.1.0 would have written them, which must be read too.
`bad/` are files that must be refused, each named after its fault; all hashes in them are right
unless the name says otherwise, as an attacker would have them. Everything is seeded: a second run
with the same libzstd writes the same bytes (zstandard 0.25.0 was used).
"""

import dataclasses
import json
import shutil
import struct
import sys
from pathlib import Path

import numpy as np
import xxhash
import zstandard

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import tfz

ROOT = Path(__file__).resolve().parents[2] / "Fixtures" / "containers" / "tfz"
RNG = np.random.default_rng(20260729)
MANIFEST: dict[str, list[dict]] = {}
VERSION_1 = ["example", "every_dtype_with_digests", "files", "origins", "several_chunks"]


def put(path: str, data: bytes) -> None:
    assert len(data) < 20_000, (path, len(data))
    target = ROOT / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(data)


# Good files


def good(name: str, tensors: list[tuple], **options) -> None:
    put(f"good/{name}.tfz", tfz.build(tensors, **options))
    tfz.check(ROOT / f"good/{name}.tfz")
    if name in VERSION_1:
        put(f"version1/{name}.tfz", tfz.build(tensors, **options, version=1))
        tfz.check(ROOT / f"version1/{name}.tfz")
    MANIFEST[name] = [
        {"name": n, "dtype": d, "shape": list(s), "bytes": b.hex()} for n, d, s, b in tensors
    ]


def weights(count: int, dtype: str = "<f4") -> bytes:
    """Numbers as weights are distributed."""
    values = RNG.normal(0, 0.02, count)
    if dtype == "bfloat16":
        return (values.astype("<f4").view("<u4") >> 16).astype("<u2").tobytes()
    return values.astype(dtype).tobytes()


def safetensors_head(text: str) -> bytes:
    return struct.pack("<Q", len(text.encode())) + text.encode()


def good_files() -> None:
    # The example of docs/tfz.md, section 11.
    example = struct.pack("<3H", 0x3F80, 0xBF80, 0x3FC0)
    good("example", [("w", "BF16", (3,), example)], files=[(b"config.json", b"{}")])
    good("nothing", [])
    good("no_tensors_but_metadata", [], metadata={"format": "pt", "\u00e9": "e\u0301"})
    good("empty_metadata", [], metadata={})
    good("order_undeclared", [("a", "U8", (1,), b"\1")], order_declared=False)
    every = []
    for dtype, (bits, *_) in tfz.DTYPES.items():
        shape = (2, 4)
        every.append((dtype.lower(), dtype, shape, RNG.bytes(bits)))
        every.append((f"zero.{dtype}", dtype, shape, bytes(bits)))
    good("every_dtype", every)
    good("every_dtype_with_digests", every, digests=True)
    shapes = [(), (0,), (3, 0, 2), (1, 1, 2), (0, 2**62), (2**61, 4, 0)]
    good("shapes", [
        (f"t{k}", "F32", shape, RNG.bytes(int(np.prod(shape, dtype=object)) * 4))
        for k, shape in enumerate(shapes)
    ])
    names = ["a/b", "..", "\u00e9", "e\u0301", "\U0001f600", " ", "tab\t", 'q"\\', "", "__metadata__"]
    good("names", [(name, "I8", (1,), bytes([k])) for k, name in enumerate(names)])
    good("several_chunks", [
        ("bf16", "BF16", (2500,), weights(2500, "bfloat16")),
        ("f32", "F32", (50, 30), weights(1500)),
        ("f64", "F64", (1030,), weights(1030, "<f8")),
        ("ids", "I64", (1, 1100), np.arange(1100, dtype="<i8").tobytes()),
        ("mask", "BOOL", (40, 40), np.tri(40, dtype=bool).tobytes()),
    ], chunk_units=1024)
    shared = weights(600, "<f2")
    good("shared_streams", [
        ("a", "F16", (600,), shared), ("b", "F16", (20, 30), shared), ("c", "U16", (600,), shared),
    ], files=[(b"one.txt", b"same"), (b"two.txt", b"same")])
    good("shared_with_file", [("a", "U8", (2, 2), b"same")], files=[(b"one.txt", b"same")])
    files = [
        (b"config.json", b'{"model_type": "x"}\n'), (b"caf\xe9.txt", b""), (b"a b", bytes(5000)),
        (b"tokenizer.json", json.dumps({str(k): k for k in range(2000)}).encode()),
    ]
    good("files", [("a", "F32", (2,), bytes(8))], files=files, digests=True)
    a, b, c = weights(6), RNG.bytes(3), weights(4, "<f8")
    tensors = [("b", "U8", (3,), b), ("a", "F32", (2, 3), a), ("c", "F64", (4,), c)]
    head = safetensors_head(
        '{"c":{"shape":[4],"data_offsets":[27,59],"dtype":"F64"} , "__metadata__":{"x":"\\u00e9"},\n'
        '"a":{"dtype":"F32","shape":[2,3],"data_offsets":[3,27]},'
        '"b":{"data_offsets":[0,3],"dtype":"U8","shape":[3]}}   ')
    good("origin", tensors, origins=[(b"weights.safetensors", head, 3)], metadata={"x": "\u00e9"})
    one = safetensors_head(
        '{"__metadata__":{"k":"1","l":"2"},"b":{"dtype":"U8","shape":[3],"data_offsets":[0,3]}}')
    two = safetensors_head(
        '{"a":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},'
        '"c":{"dtype":"F64","shape":[4],"data_offsets":[24,56]},"__metadata__":{"k":"3","m":"4"}}')
    index = json.dumps({"weight_map": {"b": "1.safetensors", "a": "2.safetensors",
                                       "c": "2.safetensors"}}).encode()
    good("origins", tensors, metadata={"k": "1", "l": "2", "m": "4"},
         origins=[(b"1.safetensors", one, 1), (b"2.safetensors", two, 2)],
         shard_index=(b"model.safetensors.index.json", index), files=[(b"README.md", b"# x\n")])
    good("paths", [("a", "U8", (1,), b"\1")], files=[
        (b"config.json", b"{}"), (b".gitattributes", b"*.bin filter=lfs\n"),
        (b"1_Pooling/config.json", b'{"pooling_mode_mean_tokens": true}'),
        (b"2_Dense/a b/caf\xe9", b""), (b"2_Dense/...", b"dots"),
    ])


# Bad files


@dataclasses.dataclass
class Parts:
    """The parts of a file, each of which can be spoiled."""

    chunks: bytes = b""
    flags: int = 0
    units: int = 1024
    streams: list[bytes] = dataclasses.field(default_factory=list)
    tensors: list[bytes] = dataclasses.field(default_factory=list)
    files: list[bytes] = dataclasses.field(default_factory=list)
    origins: list[bytes] = dataclasses.field(default_factory=list)
    after_origins: bytes = b""
    pairs: list[bytes] | None = None
    counts: dict[int, int] = dataclasses.field(default_factory=dict)
    rest: bytes = b""

    def index(self) -> bytes:
        pairs = tfz.NONE if self.pairs is None else len(self.pairs)
        counts = [self.flags, self.units, len(self.streams), len(self.tensors), len(self.files),
                  len(self.origins), pairs]
        for position, count in self.counts.items():
            counts[position] = count
        tables = self.streams + self.tensors + self.files + self.origins
        return (tfz.u32(*counts) + b"".join(tables) + self.after_origins
                + b"".join(self.pairs or []) + self.rest)

    def file(self) -> bytes:
        return tfz.assemble(self.chunks, self.index())


def record(stored: bytes, *planes: tuple[int, int]) -> bytes:
    return struct.pack("<Q", xxhash.xxh3_64_intdigest(stored)) + tfz.u32(
        *(code << 24 | size for code, size in planes))


def stream(length: int, w: int, e: int, *records: bytes, zero: int = 0, digest: bytes = b"") -> bytes:
    return struct.pack("<QBBH", length, w, e, zero) + digest + b"".join(records)


def tensor(name: bytes = b"a", dtype: bytes = b"U8", shape: tuple = (1000,), number: int = 0,
           rank: int | None = None) -> bytes:
    extents = struct.pack(f"<{len(shape)}Q", *shape)
    return (tfz.string(name) + tfz.string(dtype) + tfz.u32(len(shape) if rank is None else rank)
            + extents + tfz.u32(number))


def named(name: bytes, number: int, *counts: int) -> bytes:
    return tfz.string(name) + tfz.u32(number, *counts)


DATA = bytes(range(250)) * 4


def one(**changes) -> bytes:
    """A file of one U8 tensor of 1000 bytes, stored raw, with changes."""
    parts = Parts(chunks=DATA, streams=[stream(1000, 1, 0, record(DATA, (0, 1000)))],
                  tensors=[tensor()])
    return dataclasses.replace(parts, **changes).file()


def plane(code: int, stored: bytes, length: int = 1000) -> bytes:
    """A file of one U8 tensor of `length` bytes, whose only plane is stored so."""
    entry = stream(length, 1, 0, record(stored, (code, len(stored))))
    return one(chunks=stored, streams=[entry], tensors=[tensor(shape=(length,))])


def frame(data: bytes, write_checksum: bool = True, **options) -> bytes:
    return zstandard.ZstdCompressor(
        level=19, write_checksum=write_checksum, **options).compress(data)


def misdecoded() -> bytes:
    """A frame with changed literals, which libzstd decodes without an error but for its checksum."""
    data = weights(1000, "bfloat16")[1::2]
    for at in range(60, 300):
        plain = patched(frame(data, write_checksum=False), at, b"\x5a")
        try:
            made = zstandard.ZstdDecompressor().decompress(plain)
        except zstandard.ZstdError:
            continue
        if made != data and len(made) == len(data):
            return patched(frame(data), at, b"\x5a")
    raise AssertionError("every change was noticed")


def far_window(exponent: int, count: int) -> bytes:
    """A frame of `count` equal bytes with a window of 2^(10 + exponent) bytes: RFC 8878, section 3.1.1."""
    header = struct.pack("<IBBI", 0xFD2FB528, 0b10_0_0_0_1_00, exponent << 3, count)
    block = (count << 3 | 0b01_1).to_bytes(3, "little")
    checksum = xxhash.xxh64_intdigest(b"\x5a" * count) & 0xFFFFFFFF
    return header + block + b"\x5a" + struct.pack("<I", checksum)


def patched(data: bytes, at: int, new: bytes) -> bytes:
    at %= len(data)
    return data[:at] + new + data[at + len(new):]


def bad_structure() -> dict[str, bytes]:
    whole = one()
    start, length = struct.unpack("<QQ", whole[-32:-16])
    swapped = tfz.build([("a", "U8", (2048,), RNG.bytes(2048))], chunk_units=1024)
    return {
        "magic_only": whole[:8],
        "magic_as_text": whole.replace(b"\r\n\x1a\n", b"\n\x1a\n", 1),
        "header_only": whole[:16],
        "footer_only": whole[:16] + whole[-31:],
        "cut_off": whole[:-1],
        "cut_off_in_chunk": whole[:500],
        "appended": whole + b"\0",
        "twice": whole + whole,
        "version_0": patched(whole, 8, tfz.u32(0)),
        "version_3": patched(whole, 8, tfz.u32(3)),
        "version_huge": patched(whole, 8, tfz.u32(2**32 - 1)),
        "version_3_and_else_broken": patched(whole, 8, tfz.u32(3))[:-3] + b"abc",
        "header_zero_set": patched(whole, 12, b"\1"),
        "index_in_header": patched(patched(whole, -32, struct.pack("<Q", 8)), -24,
                                   struct.pack("<Q", length + start - 8)),
        "index_in_footer": patched(whole, -24, struct.pack("<Q", length + 1)),
        "index_beyond_file": patched(whole, -32, struct.pack("<Q", 2**40)),
        "index_wraps": patched(patched(whole, -32, struct.pack("<Q", 2**63 - 1)), -24,
                               struct.pack("<Q", 2**63 - 1)),
        "index_length_max": patched(whole, -24, b"\xff" * 8),
        "index_empty": tfz.assemble(b"", b""),
        "index_hash_wrong": patched(whole, -16, b"\0" * 8),
        "index_changed": patched(whole, start + 4, b"\1"),
        "index_cut_off": tfz.assemble(DATA, Parts(chunks=DATA).index()[:-1]),
        "index_left_over": one(rest=b"\0"),
        "chunk_changed": patched(whole, 16, b"\xff"),
        "chunks_swapped": swapped[:16] + swapped[1040:2064] + swapped[16:1040] + swapped[2064:],
        "chunks_leave_gap": one(chunks=DATA + b"hidden"),
        "chunks_overlap_index": one(chunks=DATA[:-1]),
        "chunk_hash_wrong": one(streams=[stream(1000, 1, 0, record(b"", (0, 1000)))]),
        "trailing_stream_hidden": one(
            chunks=DATA + b"x", streams=[stream(1000, 1, 0, record(DATA, (0, 1000))),
                                         stream(1, 1, 0, record(b"x", (0, 1)))]),
    }


def bad_index() -> dict[str, bytes]:
    good_record = record(DATA, (0, 1000))
    entry = stream(1000, 1, 0, good_record)
    return {
        "flags_unknown": one(flags=8),
        "chunk_units_zero": one(units=0),
        "chunk_units_512": one(units=512),
        "chunk_units_odd": one(units=1025),
        "chunk_units_huge": one(units=1 << 21),
        "streams_huge": one(counts={2: 2**32 - 1}),
        "streams_beyond_index": one(counts={2: 1000}),
        "tensors_huge": one(counts={3: 2**32 - 1}),
        "tensors_beyond_index": one(counts={3: 200}),
        "tensors_too_many": one(counts={3: 2}),
        "files_huge": one(counts={4: 2**31}),
        "origins_huge": one(counts={5: 2**31}),
        "pairs_huge": one(counts={6: 2**32 - 2}),
        "stream_length_huge": one(streams=[stream(2**62, 1, 0, good_record)]),
        "stream_length_negative": one(streams=[stream(2**63, 1, 0, good_record)]),
        "stream_length_max": one(streams=[stream(2**64 - 1, 1, 0, good_record)]),
        "stream_chunks_missing": one(streams=[stream(10**6, 1, 0, good_record)]),
        "stream_not_whole_units": one(streams=[stream(1001, 2, 8, record(DATA, (0, 500), (0, 500)))],
                                      tensors=[tensor(dtype=b"BF16", shape=(500,))]),
        "stream_zero_set": one(streams=[stream(1000, 1, 0, good_record, zero=1)]),
        "unit_width_zero": one(streams=[stream(1000, 0, 0, good_record)]),
        "unit_width_3": one(streams=[stream(999, 3, 0, good_record)]),
        "unit_exponent_unknown": one(streams=[stream(1000, 2, 7, good_record)]),
        "plane_code_unknown": one(streams=[stream(1000, 1, 0, record(DATA, (3, 1000)))]),
        "plane_raw_short": one(streams=[stream(1000, 1, 0, record(DATA[1:], (0, 999)))]),
        "plane_raw_long": one(streams=[stream(1000, 1, 0, record(DATA, (0, 1001)))]),
        "plane_constant_two": one(chunks=b"ab", streams=[stream(1000, 1, 0, record(b"ab", (1, 2)))]),
        "plane_constant_none": one(chunks=b"", streams=[stream(1000, 1, 0, record(b"", (1, 0)))]),
        "plane_zstd_none": one(chunks=b"", streams=[stream(1000, 1, 0, record(b"", (2, 0)))]),
        "plane_zstd_no_gain": one(streams=[stream(1000, 1, 0, record(DATA, (2, 1000)))]),
        "tensor_twice": one(tensors=[tensor(), tensor()]),
        "tensor_name_not_utf8": one(tensors=[tensor(name=b"\xff")]),
        "tensor_name_beyond_index": one(tensors=[tfz.u32(2**31) + tensor()]),
        "dtype_unknown": one(tensors=[tensor(dtype=b"F128")]),
        "dtype_lower_case": one(tensors=[tensor(dtype=b"u8")]),
        "rank_65": one(tensors=[tensor(shape=(1,) * 64 + (1000,))]),
        "rank_huge": one(tensors=[tensor(rank=2**32 - 1)]),
        "shape_too_small": one(tensors=[tensor(shape=(999,))]),
        "shape_product_wraps": one(tensors=[tensor(shape=(2**32, 2**32, 1000))]),
        "shape_product_wraps_before_zero": one(
            chunks=b"", streams=[stream(0, 1, 0)], tensors=[tensor(shape=(2**32, 2**32, 0))]),
        "shape_extent_2_63": one(
            chunks=b"", streams=[stream(0, 1, 0)], tensors=[tensor(shape=(2**63, 0))]),
        "shape_extent_negative": one(tensors=[tensor(shape=(2**64 - 1,))]),
        "shape_sub_byte": one(tensors=[tensor(dtype=b"F4", shape=(1999,))]),
        "stream_number_beyond": one(tensors=[tensor(number=1)]),
        "stream_of_other_dtype": one(tensors=[tensor(dtype=b"BF16", shape=(500,))]),
        "stream_unused": one(streams=[entry, stream(0, 1, 0)]),
        "file_without_name": one(files=[named(b"", 0)]),
        "file_path": one(files=[named(b"sub/config.json", 0)]),
        "file_parent": one(files=[named(b"..", 0)]),
        "file_absolute": one(files=[named(b"/etc/passwd", 0)]),
        "file_backslash": one(files=[named(b"a\\b", 0)]),
        "file_hidden": one(files=[named(b".bashrc", 0)]),
        "paths_none": one(flags=4, files=[named(b"config.json", 0)]),
        "paths_parent": one(flags=4, files=[named(b"a/../../b", 0)]),
        "paths_absolute": one(flags=4, files=[named(b"/etc/passwd", 0)]),
        "paths_here": one(flags=4, files=[named(b"a/./b", 0)]),
        "paths_empty_part": one(flags=4, files=[named(b"a//b", 0)]),
        "paths_slash_last": one(flags=4, files=[named(b"a/", 0)]),
        "paths_backslash": one(flags=4, files=[named(b"a/..\\b", 0)]),
        "paths_deep": one(flags=4, files=[named(b"/".join([b"a"] * 33), 0)]),
        "paths_part_256": one(flags=4, files=[named(b"a/" + b"b" * 256, 0)]),
        "paths_file_and_folder": one(flags=4, files=[named(b"a/b", 0), named(b"a", 0)]),
        "paths_folder_and_file": one(flags=4, files=[named(b"a/b", 0), named(b"a/b/c", 0)]),
        "paths_twice": one(flags=4, files=[named(b"a/b", 0), named(b"a/b", 0)]),
        "file_with_nul": one(files=[named(b"a\0b", 0)]),
        "file_name_256": one(files=[named(b"a" * 256, 0)]),
        "file_reserved": one(files=[named(b"model.safetensors", 0)]),
        "file_reserved_index": one(files=[named(b"pytorch_model.bin.index.json", 0)]),
        "file_twice": one(files=[named(b"x", 0), named(b"x", 0)]),
        "file_of_other_units": one(
            streams=[stream(1000, 2, 0, record(DATA, (0, 500), (0, 500)))],
            tensors=[tensor(dtype=b"I16", shape=(500,))], files=[named(b"x", 0)]),
        "origins_have_more": one(origins=[named(b"x", 0, 2)], after_origins=tfz.u32(0)),
        "origins_count_wraps": one(origins=[named(b"x", 0, 2**32 - 1), named(b"y", 0, 2)],
                                   after_origins=tfz.u32(1) + named(b"i", 0)),
        "origins_without_index": one(origins=[named(b"x", 0, 1), named(b"y", 0, 0)],
                                     after_origins=tfz.u32(0)),
        "origins_index_flag": one(origins=[named(b"x", 0, 1)], after_origins=tfz.u32(2)),
        "origin_named_as_file": one(files=[named(b"x", 0)], origins=[named(b"x", 0, 1)],
                                    after_origins=tfz.u32(0)),
        "metadata_twice": one(pairs=[(tfz.string(b"k") + tfz.string(b"v"))] * 2),
        "metadata_not_utf8": one(pairs=[tfz.string(b"k") + tfz.string(b"\xc0\x80")]),
        "metadata_beyond_index": one(pairs=[tfz.string(b"k") + tfz.u32(2**31)]),
    }


def bad_frames() -> dict[str, bytes]:
    text = b"abcabcabd" * 111 + b"x"
    assert len(text) == 1000
    fine = frame(text)
    dictionary = zstandard.ZstdCompressionDict(DATA * 2, dict_type=zstandard.DICT_TYPE_RAWCONTENT)
    entropy = zstandard.train_dictionary(2000, [RNG.bytes(20) + text[k:k + 300] for k in range(300)])
    skippable = struct.pack("<II", 0x184D2A50, 4) + b"skip"
    return {
        "zstd_bomb": plane(2, frame(bytes(2 * 10**7))),
        "zstd_bomb_undeclared": plane(2, frame(bytes(2 * 10**7), write_content_size=False)),
        "zstd_more_than_declared": plane(2, relabelled(frame(text + b"y"), 1000)),
        "zstd_less_than_declared": plane(2, relabelled(frame(text[:-1]), 1000)),
        "zstd_declares_more": plane(2, frame(text + b"y")),
        "zstd_declares_less": plane(2, frame(text[:-1])),
        "zstd_size_undeclared": plane(2, frame(text, write_content_size=False)),
        "zstd_two_frames": plane(2, frame(text[:500]) + frame(text[500:])),
        "zstd_frame_and_rest": plane(2, fine + b"\0"),
        "zstd_skippable_before": plane(2, skippable + fine),
        "zstd_skippable_after": plane(2, fine + skippable),
        "zstd_cut_off": plane(2, fine[:-1]),
        "zstd_garbage": plane(2, DATA[:100]),
        "zstd_block_broken": plane(2, patched(fine, 8, b"\xff\xff\xff")),
        "zstd_dictionary": plane(2, zstandard.ZstdCompressor(
            dict_data=entropy, write_checksum=True).compress(text)),
        "zstd_raw_dictionary": plane(2, zstandard.ZstdCompressor(
            level=19, dict_data=dictionary, write_checksum=True).compress(DATA)),
        "zstd_checksum_wrong": plane(2, patched(fine, -1, b"\0")),
        "zstd_checksum_missing": plane(2, frame(text, write_checksum=False)),
        "zstd_literals_changed": plane(2, misdecoded()),
        "zstd_window_too_large": plane(2, far_window(22, 1000)),
    }


def relabelled(data: bytes, size: int) -> bytes:
    """A frame with single segment and a content size of two bytes, which is replaced."""
    assert data[4] & 0xE0 == 0x60, hex(data[4])
    return data[:5] + struct.pack("<H", size - 256) + data[7:]


def bad_digests() -> dict[str, bytes]:
    """What only a check of everything finds."""
    wrong = stream(1000, 1, 0, record(DATA, (0, 1000)), digest=bytes(32))
    entry = '{"a":{"dtype":"U8","shape":[1000],"data_offsets":[0,1000]}}'
    return {
        "digest_wrong": one(flags=1, streams=[wrong]),
        "origin_head_lies": lying_origin('{"b":{"dtype":"U8","shape":[1000],"data_offsets":[0,1000]}}'),
        "origin_head_no_json": lying_origin("{" * 60),
        "origin_head_length": lying_origin("", head=struct.pack("<Q", 2**63) + b"{}"),
        "origin_head_space": lying_origin(f" {entry}"),
        "origin_head_more_keys": lying_origin(entry.replace("}}", ',"x":1}}')),
        "origin_head_metadata_number": lying_origin(entry.replace("{", '{"__metadata__":{"a":1},', 1)),
        "origin_head_metadata": lying_origin(
            '{"__metadata__":{"a":"b"},"a":{"dtype":"U8","shape":[1000],"data_offsets":[0,1000]}}'),
    }


def lying_origin(text: str, head: bytes | None = None) -> bytes:
    head = safetensors_head(text) if head is None else head
    return one(chunks=DATA + head,
               streams=[stream(1000, 1, 0, record(DATA, (0, 1000))),
                        stream(len(head), 1, 0, record(head, (0, len(head))))],
               origins=[named(b"model.safetensors", 1, 1)], after_origins=tfz.u32(0))


def refuses(path: Path) -> None:
    try:
        tfz.check(path)
    except tfz.TFZError:
        return
    raise AssertionError(f"{path.name} is accepted by Tools/tfz.py")


def main() -> None:
    for quality in ("good", "bad", "lying", "version1"):
        shutil.rmtree(ROOT / quality, ignore_errors=True)
    good_files()
    put("good/zstd_window.tfz", plane(2, far_window(21, 1000)))
    tfz.check(ROOT / "good/zstd_window.tfz")
    MANIFEST["zstd_window"] = [
        {"name": "a", "dtype": "U8", "shape": [1000], "bytes": (b"\x5a" * 1000).hex()}]
    for name, data in (bad_structure() | bad_index() | bad_frames()).items():
        put(f"bad/{name}.tfz", data)
    for name, data in bad_digests().items():
        put(f"lying/{name}.tfz", data)
    for path in sorted(ROOT.glob("bad/*")) + sorted(ROOT.glob("lying/*")):
        refuses(path)
    (ROOT / "manifest.json").write_text(json.dumps(MANIFEST, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
