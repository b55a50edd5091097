#!/usr/bin/env python3
"""TFZ, the compressed checkpoint: a reader and a plain writer, from docs/tfz.md alone.

    import tfz
    arrays = tfz.load("model.tfz")              # {name: numpy array}
    tfz.restore("model.tfz", "model/")          # the folder, safetensors files byte for byte
    tfz.pack("model.tfz", [("w", "F32", array)], files={"config.json": b"{}"})

    tfz.py ls model.tfz | check model.tfz | restore model.tfz folder | pack folder model.tfz

Needs numpy, zstandard and xxhash. Dtypes that numpy does not have come as those of ml_dtypes if that
is installed, else as raw bytes of their width. Packed dtypes (F4, F6_*) come as bytes.
"""

import dataclasses
import hashlib
import json
import math
import os
import struct
import sys

try:
    import numpy
    import xxhash
    import zstandard
except ImportError as error:
    if __name__ != "__main__":
        raise
    missing = error.name
else:
    missing = None

MAGIC = b"\x89TFZ\r\n\x1a\n"
END = b"\nTFZEND\n"
VERSION = 2
VERSIONS = (1, 2)
RAW, CONSTANT, ZSTD = 0, 1, 2
MAX_WINDOW = 1 << 31
NONE = 0xFFFFFFFF

# dtype: (bits of an element, bytes of a unit, bits of the exponent, numpy's name)
DTYPES = {
    "BOOL": (8, 1, 0, "?"), "U8": (8, 1, 0, "u1"), "I8": (8, 1, 0, "i1"),
    "F8_E4M3": (8, 1, 0, "float8_e4m3fn"), "F8_E5M2": (8, 1, 0, "float8_e5m2"),
    "F8_E8M0": (8, 1, 0, "float8_e8m0fnu"), "F8_E4M3FNUZ": (8, 1, 0, "float8_e4m3fnuz"),
    "F8_E5M2FNUZ": (8, 1, 0, "float8_e5m2fnuz"),
    "F4": (4, 1, 0, None), "F6_E2M3": (6, 1, 0, None), "F6_E3M2": (6, 1, 0, None),
    "I16": (16, 2, 0, "<i2"), "U16": (16, 2, 0, "<u2"), "F16": (16, 2, 5, "<f2"),
    "BF16": (16, 2, 8, "bfloat16"),
    "I32": (32, 4, 0, "<i4"), "U32": (32, 4, 0, "<u4"), "F32": (32, 4, 8, "<f4"),
    "C64": (64, 4, 8, "<c8"),
    "I64": (64, 8, 0, "<i8"), "U64": (64, 8, 0, "<u8"), "F64": (64, 8, 11, "<f8"),
    "C128": (128, 8, 11, "<c16"),
}
KINDS = {(w, e) for _, w, e, _ in DTYPES.values()}

LIMITS = {
    "index": 1 << 25, "tensors": 1 << 18, "files": 1 << 12, "origins": 1 << 16, "pairs": 1 << 16,
    "name": 65_536, "rank": 64, "file": 1 << 28, "head": 8 + 100_000_000, "path": 4096, "parts": 32,
}
DIGESTS, ORDER_UNDECLARED, PATHS = 1, 2, 4


class TFZError(ValueError):
    """The file breaks a rule of the specification."""


class Unsupported(TFZError):
    """The file may be fine, but is of a version, or has things, that are not known here."""


def require(condition, reason, kind=TFZError):
    if not condition:
        raise kind(reason)


# Units and planes (section 3)

def split(data, w, e):
    """The planes of `data`, the one with the highest bits first."""
    u = numpy.frombuffer(data, f"<u{w}").astype(f"u{w}")
    if e:
        m = 8 * w - 1 - e
        sign, exponent, mantissa = u >> (8 * w - 1), (u >> m) & (2**e - 1), u & (2**m - 1)
        u = (exponent << (m + 1)) | (sign << m) | mantissa
    columns = u.astype(f">u{w}").view("u1").reshape(-1, w)
    return [columns[:, k].tobytes() for k in range(w)]


def merge(planes, w, e):
    """What `split` was given."""
    columns = numpy.stack([numpy.frombuffer(p, "u1") for p in planes], axis=1)
    v = numpy.ascontiguousarray(columns).view(f">u{w}").ravel().astype(f"u{w}")
    if e:
        m = 8 * w - 1 - e
        exponent, sign, mantissa = v >> (m + 1), (v >> m) & 1, v & (2**m - 1)
        v = (sign << (8 * w - 1)) | (exponent << m) | mantissa
    return v.astype(f"<u{w}").tobytes()


def decompress(frame, n, checked):
    """The `n` bytes of a zstd frame, which must be alone and say how many they are; zstandard compares its
    checksum, which must be there if it is to be `checked`."""
    require(frame[:4] == b"\x28\xb5\x2f\xfd", "a plane is no zstd frame")
    try:
        parameters = zstandard.get_frame_parameters(frame)
        require(parameters.content_size == n, f"a zstd frame does not declare {n} bytes")
        require(parameters.dict_id == 0, "a zstd frame needs a dictionary")
        require(parameters.has_checksum or not checked, "a zstd frame has no checksum")
        worker = zstandard.ZstdDecompressor(max_window_size=MAX_WINDOW).decompressobj()
        plane = worker.decompress(frame)
    except zstandard.ZstdError as error:
        raise TFZError(f"a zstd frame is broken: {error}") from None
    require(worker.eof and not worker.unused_data, "a plane is no single zstd frame")
    require(len(plane) == n, f"a zstd frame does not yield {n} bytes")
    return plane


# Reading

@dataclasses.dataclass
class Stream:
    length: int
    w: int
    e: int
    digest: bytes | None
    chunks: list = dataclasses.field(default_factory=list)  # (start, hash, [(code, bytes)])


@dataclasses.dataclass
class Tensor:
    name: str
    dtype: str
    shape: tuple
    stream: int


class Cursor:
    def __init__(self, data):
        self.data, self.at = data, 0

    @property
    def left(self):
        return len(self.data) - self.at

    def take(self, count):
        require(count <= self.left, f"the index ends {count - self.left} bytes too early")
        self.at += count
        return self.data[self.at - count:self.at]

    def number(self, size):
        return int.from_bytes(self.take(size), "little")

    def u32(self):
        return self.number(4)

    def u64(self):
        value = self.number(8)
        require(value < 2**63, "a number of the index is too large")
        return value

    def string(self):
        return self.take(self.u32())

    def text(self):
        try:
            return self.string().decode("utf-8", "strict")
        except UnicodeDecodeError:
            raise TFZError("a text of the index is not UTF-8") from None

    def count(self, what, size):
        count = self.u32()
        require(count <= LIMITS[what], f"{count} {what}, the limit is {LIMITS[what]}")
        require(count * size <= self.left, f"the index has no room for {count} {what}")
        return count


class File:
    """An open TFZ file. Header, footer and index have been read and checked."""

    def __init__(self, path):
        self.source = open(path, "rb")
        self.size = os.fstat(self.source.fileno()).st_size
        head = self.pread(0, min(16, self.size))
        require(head[:8] == MAGIC, "does not begin as TFZ does")
        require(len(head) >= 12, "is too short")
        version = int.from_bytes(head[8:12], "little")
        require(version in VERSIONS, f"version {version} is not known", Unsupported)
        require(self.size >= 48, "is too short")
        zero = int.from_bytes(head[12:], "little")
        self.version = version
        require(zero == 0, "the header has bits that must be zero")
        start, length, digest, end = struct.unpack("<QQQ8s", self.pread(self.size - 32, 32))
        require(end == END, "does not end as TFZ does")
        require(start >= 16 and start + length == self.size - 32, "the index cannot be there")
        require(length <= LIMITS["index"], f"the index has {length} bytes")
        index = self.pread(start, length)
        require(xxhash.xxh3_64_intdigest(index) == digest, "checksum of the index does not match")
        self.read_index(Cursor(index), start)

    def pread(self, start, count):
        data = os.pread(self.source.fileno(), count, start)
        require(len(data) == count, "the file has become shorter")
        return data

    # Section 5

    def read_index(self, cursor, start):
        self.flags = cursor.u32()
        require(self.flags <= 7, "flags that are not known", Unsupported)
        self.chunk_units = cursor.u32()
        require(self.chunk_units in [1 << k for k in range(10, 21)], "no size of a chunk")
        streams = cursor.u32()
        require(streams * 12 <= cursor.left, f"the index has no room for {streams} streams")
        tensors = cursor.count("tensors", 16)
        files = cursor.count("files", 8)
        origins = cursor.count("origins", 12)
        pairs = NONE
        if cursor.data[cursor.at:cursor.at + 4] == b"\xff" * 4:
            cursor.u32()
        else:
            pairs = cursor.count("pairs", 8)
        position = 16
        self.streams = []
        for _ in range(streams):
            position = self.read_stream(cursor, position, start)
        require(position == start, "the chunks do not end where the index begins")
        self.tensors = [self.read_tensor(cursor) for _ in range(tensors)]
        require(len({t.name for t in self.tensors}) == tensors, "a name of a tensor comes twice")
        paths = bool(self.flags & PATHS)
        self.files = dict([self.read_file(cursor, paths) for _ in range(files)])
        require(
            paths == any(not is_plain(name) for name in self.files),
            "flags say that a name is a path, and none is")
        self.origins = [(*self.read_file(cursor), cursor.u32()) for _ in range(origins)]
        self.shard_index = None
        if origins:
            require(sum(o[2] for o in self.origins) == tensors, "origins have other tensors")
            has_index = cursor.u32()
            require(has_index <= 1 and (has_index or origins == 1), "no shard index")
            if has_index:
                self.shard_index = self.read_file(cursor)
        self.metadata = None
        if pairs != NONE:
            entries = [(cursor.text(), cursor.text()) for _ in range(pairs)]
            self.metadata = dict(entries)
            require(len(self.metadata) == pairs, "a key of the metadata comes twice")
        require(cursor.left == 0, "bytes follow the end of the index")
        self.check_use(files)

    def read_stream(self, cursor, position, end):
        length, w, e, zero = cursor.u64(), cursor.number(1), cursor.number(1), cursor.number(2)
        require((w, e) in KINDS, f"units ({w}, {e}) are not known", Unsupported)
        require(zero == 0, "a stream has bits that must be zero")
        require(length % w == 0, "a stream does not have whole units")
        stream = Stream(length, w, e, cursor.take(32) if self.flags & 1 else None)
        units = length // w
        count = -(-units // self.chunk_units)
        require(count * (8 + 4 * w) <= cursor.left, "the index has no room for the chunks")
        for number in range(count):
            n = min(self.chunk_units, units - number * self.chunk_units)
            digest = cursor.number(8)
            planes = [(v >> 24, v & 0xFFFFFF) for v in (cursor.u32() for _ in range(w))]
            for code, size in planes:
                require(
                    (code == RAW and size == n) or (code == CONSTANT and size == 1)
                    or (code == ZSTD and 0 < size < n), "a plane cannot be stored so")
            stream.chunks.append((position, digest, planes))
            position += sum(size for _, size in planes)
            require(position <= end, "a chunk ends in the index")
        self.streams.append(stream)
        return position

    def read_tensor(self, cursor):
        name, dtype, rank = cursor.text(), cursor.text(), cursor.u32()
        require(len(name.encode()) <= LIMITS["name"], "a name is too long")
        require(dtype in DTYPES, f"dtype {dtype!r} is not known", Unsupported)
        require(rank <= LIMITS["rank"], "a tensor has too many extents")
        shape = tuple(cursor.u64() for _ in range(rank))
        number = cursor.u32()
        require(number < len(self.streams), f"there is no stream {number}")
        bits, w, e, _ = DTYPES[dtype]
        stream = self.streams[number]
        require((stream.w, stream.e) == (w, e), f"{name!r}: a stream of another dtype")
        require(product(shape) * bits == 8 * stream.length, f"{name!r}: shape and size differ")
        return Tensor(name, dtype, shape, number)

    def read_file(self, cursor, may_be_path=False):
        name, number = cursor.string(), cursor.u32()
        require(is_path(name) if may_be_path else is_plain(name), "no name for a file of a folder")
        require(number < len(self.streams), f"there is no stream {number}")
        require((self.streams[number].w, self.streams[number].e) == (1, 0), "no stream of bytes")
        return name, number

    def check_use(self, files):
        former = [(name, number) for name, number, _ in self.origins]
        former += [self.shard_index] if self.shard_index else []
        names = list(self.files) + [name for name, _ in former]
        require(len(names) == len(set(names)) and len(self.files) == files, "a file comes twice")
        require(not set(names) & folders_of(names), "a file has the name of a folder")
        if self.version > 1:
            require(not any(map(reserved, self.files)), "a file has a reserved name")
        used = {t.stream for t in self.tensors} | set(self.files.values()) | {n for _, n in former}
        require(len(used) == len(self.streams), "a stream belongs to nothing")
        for numbers, limit in ((self.files.values(), "file"), ([n for _, n in former], "head")):
            for number in numbers:
                require(self.streams[number].length <= LIMITS[limit], "a file is too large")

    # Chunks

    def chunk(self, stream, number):
        start, digest, planes = stream.chunks[number]
        stored = self.pread(start, sum(size for _, size in planes))
        require(
            xxhash.xxh3_64_intdigest(stored) == digest,
            f"checksum of chunk {number} at byte {start} does not match")
        units = stream.length // stream.w
        n = min(self.chunk_units, units - number * self.chunk_units)
        result, at = [], 0
        for code, size in planes:
            piece = stored[at:at + size]
            at += size
            if code == CONSTANT:
                piece = piece * n
            elif code == ZSTD:
                piece = decompress(piece, n, self.version > 1)
            result.append(piece)
        return result[0] if stream.w == 1 else merge(result, stream.w, stream.e)

    def bytes(self, number, check=False):
        """All bytes of a stream; with `check`, compared with their SHA-256 too."""
        stream = self.streams[number]
        data = b"".join(self.chunk(stream, k) for k in range(len(stream.chunks)))
        if check and stream.digest is not None:
            require(hashlib.sha256(data).digest() == stream.digest, "SHA-256 does not match")
        return data

    def array(self, tensor):
        data = self.bytes(tensor.stream)
        bits, w, _, name = DTYPES[tensor.dtype]
        if name is None:
            return numpy.frombuffer(data, "u1")
        return numpy.frombuffer(data, numpy_dtype(name, bits)).reshape(tensor.shape)

    # Section 6

    def safetensors(self):
        """The original safetensors files as (name, bytes), if the file has them."""
        position, metadata = 0, None
        for name, number, count in self.origins:
            head = self.bytes(number)
            tensors = self.tensors[position:position + count]
            position += count
            found = described(head)
            require(found is not None, "the head of a safetensors file is broken")
            entries, own = found
            require(
                entries == [(t.name, t.dtype, t.shape) for t in tensors],
                "the head of a safetensors file does not fit the tensors")
            metadata = merged(metadata, own)
            yield name, head + b"".join(self.bytes(t.stream) for t in tensors)
        same = ordered(metadata) == ordered(self.metadata)
        require(same or not self.origins, "the heads have other metadata")


def is_plain(name):
    return 1 <= len(name) <= 255 and name[:1] != b"." and not set(name) & set(b"\0/\\")


def is_path(name):
    parts = name.split(b"/")
    return len(name) <= LIMITS["path"] and len(parts) <= LIMITS["parts"] and all(
        1 <= len(part) <= 255 and part not in (b".", b"..") and not set(part) & set(b"\0\\")
        for part in parts)


def folders_of(names):
    """The folders that files of these names are in."""
    parts = (name.split(b"/") for name in names)
    return {b"/".join(p[:k]) for p in parts for k in range(1, len(p))}


def product(shape):
    """The number of elements, multiplied as section 5 says."""
    count = 1
    for extent in shape:
        count *= extent
        require(count < 2**64, "a product of extents is too large")
    return count


def reserved(name):
    return name == b"model.safetensors" or name.endswith(b".index.json")


def numpy_dtype(name, bits):
    try:
        return numpy.dtype(name)
    except TypeError:
        pass
    try:
        import ml_dtypes
        return numpy.dtype(getattr(ml_dtypes, name))
    except (ImportError, AttributeError):
        return numpy.dtype(f"V{bits // 8}")


def described(head):
    """What the head of a safetensors file describes: [(name, dtype, shape)] in order, metadata."""
    if len(head) <= 8 or int.from_bytes(head[:8], "little") != len(head) - 8:
        return None
    try:
        text = head[8:].decode("utf-8")
        header = json.loads(text, object_pairs_hook=unique)
        metadata = header.pop("__metadata__", None)
        pairs = [] if metadata is None else [*metadata.keys(), *metadata.values()]
        if text[0] != "{" or not all(isinstance(pair, str) for pair in pairs):
            return None
        if any(set(entry) != {"dtype", "shape", "data_offsets"} for entry in header.values()):
            return None
        entries = sorted(header.items(), key=lambda item: item[1]["data_offsets"])
        end = 0
        for _, entry in entries:
            if entry["data_offsets"][0] != end:
                return None
            end = entry["data_offsets"][1]
        return [(name, x["dtype"], tuple(x["shape"])) for name, x in entries], metadata
    except (ValueError, KeyError, TypeError, IndexError, AttributeError):
        return None


def merged(first, second):
    """The pairs of both, in order; where a key is in both, the first one's value."""
    if first is None or second is None:
        return second if first is None else first
    return first | {key: value for key, value in second.items() if key not in first}


def ordered(metadata):
    return None if metadata is None else list(metadata.items())


def unique(pairs):
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ValueError("a key comes twice")
    return result


# The library

def load(path):
    """The tensors of a file, by name, in order."""
    file = File(path)
    return {tensor.name: file.array(tensor) for tensor in file.tensors}


def check(path):
    """Reads and compares everything; raises TFZError for the first fault."""
    file = File(path)
    for number in range(len(file.streams)):
        file.bytes(number, check=True)
    for _ in file.safetensors():
        pass


def restore(path, folder):
    """Writes the folder that the file was made of."""
    file = File(path)
    os.makedirs(folder, exist_ok=True)
    folder = os.fsencode(folder)
    if file.origins:
        written = list(file.safetensors())
        if file.shard_index is None:
            written = [(b"model.safetensors", written[0][1])]
        else:
            written.append((file.shard_index[0], file.bytes(file.shard_index[1])))
    else:
        written = [(b"model.safetensors", make_safetensors(file))]
    written += [(name, file.bytes(number)) for name, number in file.files.items()]
    for name, data in written:
        inner = folder
        for part in name.split(b"/")[:-1]:
            inner = os.path.join(inner, part)
            require(not os.path.islink(inner), f"{os.fsdecode(inner)} is a link")
            os.makedirs(inner, exist_ok=True)
        with open(os.path.join(folder, name), "xb") as output:
            output.write(data)


def make_safetensors(file):
    header, position, parts = {}, 0, []
    if file.metadata is not None:
        header["__metadata__"] = file.metadata
    for tensor in file.tensors:
        require(tensor.dtype != "C128", "safetensors has no C128")
        data = file.bytes(tensor.stream)
        header[tensor.name] = {
            "dtype": tensor.dtype, "shape": list(tensor.shape),
            "data_offsets": [position, position + len(data)]}
        position += len(data)
        parts.append(data)
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + b"".join(parts)


# Writing: the plainest file that says the same

def u32(*values):
    return struct.pack(f"<{len(values)}I", *values)


def string(data):
    return u32(len(data)) + data


def encode_plane(plane, checked):
    if len(set(plane)) == 1:
        return CONSTANT, plane[:1]
    frame = zstandard.ZstdCompressor(
        level=3, write_content_size=True, write_checksum=checked).compress(plane)
    return (ZSTD, frame) if len(frame) < len(plane) else (RAW, plane)


def encode_stream(data, w, e, chunk_units, digests, checked):
    """The bytes of a stream's chunks, and of its entry in the index."""
    entry = struct.pack("<QBBH", len(data), w, e, 0)
    entry += hashlib.sha256(data).digest() if digests else b""
    stored = []
    for start in range(0, len(data), chunk_units * w):
        piece = data[start:start + chunk_units * w]
        planes = [encode_plane(p, checked) for p in ([piece] if w == 1 else split(piece, w, e))]
        chunk = b"".join(p for _, p in planes)
        stored.append(chunk)
        entry += struct.pack("<Q", xxhash.xxh3_64_intdigest(chunk))
        entry += u32(*(code << 24 | len(p) for code, p in planes))
    return b"".join(stored), entry


def build(tensors, files=(), origins=(), shard_index=None, metadata=None, digests=False,
          order_declared=True, chunk_units=1 << 18, version=VERSION):
    """A file's bytes.

    tensors: (name, dtype, shape, bytes); files: (name, bytes); origins: (name, head, count);
    shard_index: (name, bytes).
    """
    chunks, entries, known = [], [], {}

    def add(data, w, e):
        if (data, w, e) not in known:
            known[data, w, e] = len(entries)
            chunk, entry = encode_stream(data, w, e, chunk_units, digests, version > 1)
            chunks.append(chunk)
            entries.append(entry)
        return known[data, w, e]

    table = b""
    for name, dtype, shape, data in tensors:
        number = add(data, *DTYPES[dtype][1:3])
        table += string(name.encode()) + string(dtype.encode()) + u32(len(shape))
        table += struct.pack(f"<{len(shape)}Q", *shape) + u32(number)
    for name, data in files:
        table += string(name) + u32(add(data, 1, 0))
    for name, head, count in origins:
        table += string(name) + u32(add(head, 1, 0), count)
    if origins:
        table += u32(shard_index is not None)
        if shard_index:
            table += string(shard_index[0]) + u32(add(shard_index[1], 1, 0))
    for key, value in (metadata or {}).items():
        table += string(key.encode()) + string(value.encode())
    pairs = NONE if metadata is None else len(metadata)
    flags = (DIGESTS if digests else 0) | (0 if order_declared else ORDER_UNDECLARED)
    flags |= PATHS if any(not is_plain(name) for name, _ in files) else 0
    index = u32(flags, chunk_units, len(entries), len(tensors), len(files), len(origins), pairs)
    return assemble(b"".join(chunks), index + b"".join(entries) + table, version)


def assemble(chunks, index, version=VERSION):
    """Header, chunks, index and footer."""
    footer = struct.pack("<QQQ", 16 + len(chunks), len(index), xxhash.xxh3_64_intdigest(index))
    return MAGIC + u32(version, 0) + chunks + index + footer + END


def pack(path, tensors, files=None, metadata=None, digests=False):
    """Writes arrays: tensors is a list of (name, dtype, array), files a dict of bytes."""
    rows = [(n, d, a.shape, numpy.ascontiguousarray(a).tobytes()) for n, d, a in tensors]
    names = [(os.fsencode(name), data) for name, data in (files or {}).items()]
    require(not any(reserved(name) for name, _ in names), "a file has a reserved name")
    with open(path, "xb") as output:
        output.write(build(rows, names, metadata=metadata, digests=digests))


def pack_folder(folder, path, digests=False):
    """Writes a folder with model.safetensors, or with shards and their index, and all files in it."""
    names = sorted(
        os.path.relpath(os.path.join(inner, name), folder)
        for inner, _, files in os.walk(folder) for name in files)
    read = lambda name: open(os.path.join(folder, name), "rb").read()
    index = next(
        (n for n in names if "/" not in n and n.endswith(".safetensors.index.json")), None)
    shards = ["model.safetensors"]
    if index:
        shards = sorted(set(json.loads(read(index))["weight_map"].values()))
    tensors, origins, metadata = [], [], None
    for shard in shards:
        data = read(shard)
        end = 8 + int.from_bytes(data[:8], "little")
        entries, own = described(data[:end])
        metadata = merged(metadata, own)
        position = end
        for name, dtype, shape in entries:
            size = math.prod(shape) * DTYPES[dtype][0] // 8
            tensors.append((name, dtype, shape, data[position:position + size]))
            position += size
        origins.append((os.fsencode(shard), data[:end], len(entries)))
    others = [n for n in names if n not in shards and n != index and not reserved(os.fsencode(n))
              and os.path.isfile(os.path.join(folder, n))]
    files = [(os.fsencode(n), read(n)) for n in others]
    shard_index = (os.fsencode(index), read(index)) if index else None
    with open(path, "xb") as output:
        output.write(build(tensors, files, origins, shard_index, metadata, digests))


def main(arguments):
    if arguments in (["-h"], ["--help"]):
        print(__doc__.strip())
        return 0
    verbs = {"ls": 1, "check": 1, "restore": 2, "pack": 2}
    if not arguments or verbs.get(arguments[0]) != len(arguments) - 1:
        print("usage: tfz.py ls FILE | check FILE | restore FILE FOLDER | pack FOLDER FILE",
              file=sys.stderr)
        return 2
    if missing:
        print(f"tfz.py: {missing} is missing: pip install numpy zstandard xxhash", file=sys.stderr)
        return 3
    verb, *paths = arguments
    try:
        if verb == "ls":
            for tensor in File(paths[0]).tensors:
                print(tensor.name, tensor.dtype, list(tensor.shape))
        else:
            {"check": check, "restore": restore, "pack": pack_folder}[verb](*paths)
    except (TFZError, OSError) as error:
        print(f"tfz.py: {paths[0]}: {error}", file=sys.stderr)
        return 3 if isinstance(error, Unsupported) else 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
