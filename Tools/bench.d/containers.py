"""How other containers are converted to safetensors: time against dd, memory, and how soon they are listed.

    Tools/bench containers                 makes files of 900 MB in a temporary folder, one at a time
    Tools/bench containers --size 500      megabytes of each
    Tools/bench containers --folder DIR    on that disk instead
    Tools/bench containers --only TEXT     only files whose name contains the text
    Tools/bench containers --json          one JSON object instead of a table
    Tools/bench containers --write         also puts the table into docs/performance.md

Each file holds the same kind of numbers: matrices of four bytes, of a transformer's sizes. torch and h5py write
their own, those of Flax and ONNX are laid out here. Conversion is timed against `dd bs=4M conv=fsync` of the
same file, in turn; memory is what the system says of the process when it has ended (`ru_maxrss`); listing is
`tfinspect ls`, against the same tensors in safetensors. `many.pt` has 40,000 small tensors. For Q4_K, random
blocks are decoded to F16, against gguf-py with numpy, which only decodes and writes no file.
"""

import argparse
import json
import os
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "shared"))
from bench_page import machine, write_section

BIN = Path(os.environ.get("BENCH_BIN", "."))
START, END = "<!-- Tools/bench containers --write -->", "<!-- end of containers -->"
MB = 1_000_000
SHAPES = [[768, 768], [768, 2304], [768, 3072], [3072, 768], [768], [3072]]


def tensors(size):
    """Names and shapes of so many megabytes."""
    total, number = 0, 0
    while total < size * MB:
        shape = SHAPES[number % len(SHAPES)]
        yield f"h.{number // len(SHAPES)}.{number % len(SHAPES)}.weight", shape
        count = 1
        for extent in shape:
            count *= extent
        total, number = total + 4 * count, number + 1


def numbers(shape, generator):
    return (generator.standard_normal(shape, dtype="float32") * 0.02)


# Files. Each is made in a process of its own, so that this one stays small.

def make(name, path, size):
    import numpy
    generator = numpy.random.default_rng(1)
    arrays = ((key, numbers(shape, generator)) for key, shape in tensors(size))
    MAKERS[name](path, arrays)


def make_torch(path, arrays, **options):
    import torch
    torch.save({key: torch.from_numpy(array) for key, array in arrays}, path, **options)


def make_many(path, arrays):
    import torch
    torch.save({f"t.{number}.weight": torch.full((8,), float(number)) for number in range(40_000)}, path)


def make_safetensors(path, arrays):
    from safetensors.numpy import save_file
    save_file(dict(arrays), path)


def make_hdf5(path, arrays):
    import h5py
    with h5py.File(path, "w") as file:
        for key, array in arrays:
            file[key.replace(".", "/")] = array


def make_flax(path, arrays):
    """As flax.serialization writes arrays: extension 1 around shape, type and bytes."""
    import msgpack
    packer = msgpack.Packer()
    arrays = list(arrays)
    with open(path, "wb") as file:
        file.write(packer.pack_map_header(len(arrays)))
        for key, array in arrays:
            inner = packer.pack((array.shape, "float32", b""))[:-2]
            inner += b"\xc6" + struct.pack(">I", array.nbytes)
            file.write(packer.pack(key) + b"\xc9" + struct.pack(">IB", len(inner) + array.nbytes, 1) + inner)
            file.write(array.tobytes())


def make_onnx(path, arrays):
    """ModelProto { graph = 7 { initializer = 5 { dims = 1, data_type = 2, name = 8, raw_data = 9 } } }"""
    def varint(value):
        out = bytearray()
        while value > 127:
            out.append(value & 127 | 128)
            value >>= 7
        return bytes(out + bytes([value]))

    def field(number, data):
        return varint(number << 3 | 2) + varint(len(data)) + data

    arrays = list(arrays)
    heads, total = [], 0
    for key, array in arrays:
        inner = field(1, b"".join(map(varint, array.shape))) + b"\x10\x01" + field(8, key.encode())
        inner += varint(9 << 3 | 2) + varint(array.nbytes)
        heads.append(varint(5 << 3 | 2) + varint(len(inner) + array.nbytes) + inner)
        total += len(heads[-1]) + array.nbytes
    with open(path, "wb") as file:
        file.write(b"\x08\x09" + varint(7 << 3 | 2) + varint(total))
        for head, (_, array) in zip(heads, arrays):
            file.write(head + array.tobytes())


def make_gguf(path, arrays):
    import gguf
    writer = gguf.GGUFWriter(path, "some")
    for key, array in arrays:
        writer.add_tensor(key, array)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def make_q4_k(path, arrays):
    import gguf
    import numpy
    generator = numpy.random.default_rng(1)
    writer = gguf.GGUFWriter(path, "some")
    for key, array in arrays:
        if array.ndim < 2:
            continue
        blocks = generator.integers(0, 256, (array.shape[0], array.shape[1] // 256 * 144), dtype="uint8")
        # Scales that are small numbers, none of them infinite.
        halves = blocks.reshape(-1, 144)
        halves[:, [1, 3]] = halves[:, [1, 3]] & 0x83 | 0x20
        writer.add_tensor(key, blocks, raw_dtype=gguf.GGMLQuantizationType.Q4_K)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


MAKERS = {
    "torch.pt": make_torch,
    "legacy.pt": lambda path, arrays: make_torch(path, arrays, _use_new_zipfile_serialization=False),
    "float.gguf": make_gguf, "keras.h5": make_hdf5, "flax.msgpack": make_flax, "model.onnx": make_onnx,
    "many.pt": make_many, "q4_k.gguf": make_q4_k, "plain.safetensors": make_safetensors,
}


# Measuring

def timed(command):
    """Seconds, and the most memory."""
    begin = time.monotonic()
    process = subprocess.Popen([str(word) for word in command], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    error = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{command}: {error.decode()}")
    return time.monotonic() - begin, usage.ru_maxrss * 1024


def measure(name, folder, options):
    path, target = folder / name, folder / "out.safetensors"
    convert = [BIN / "tfconvert", path, target, "-f", "-q", "--no-progress"]
    if name == "q4_k.gguf":
        convert += ["--dequantize", "--dtype", "f16", "--allow-lossy"]
    copy = ["dd", f"if={path}", f"of={folder / 'copy'}", "bs=4M", "conv=fsync", "status=none"]
    timed(["cat", path])
    pairs, peak = [], 0
    for _ in range(options.rounds):
        seconds, memory = timed(convert)
        pairs.append((seconds, timed(copy)[0]))
        peak = max(peak, memory)
    listing = [BIN / "tfinspect", "ls", path]
    plain = [BIN / "tfinspect", "ls", target]
    heads = [(timed(listing)[0], timed(plain)[0]) for _ in range(4 * options.rounds)]
    result = {
        "file": name, "bytes": path.stat().st_size, "seconds": min(a for a, _ in pairs),
        "dd": statistics.median(a / b for a, b in pairs), "peak": peak,
        "listing_ms": 1000 * min(a for a, _ in heads), "safetensors_ms": 1000 * min(b for _, b in heads),
    }
    if name == "q4_k.gguf":
        result["gguf_py"] = min(
            float(subprocess.run(
                [sys.executable, __file__, "--decode", path], check=True, capture_output=True, text=True).stdout)
            for _ in range(options.rounds))
    return result


def decode(path):
    """Seconds that gguf-py takes to make F16 of all tensors."""
    import gguf
    import numpy
    reader = gguf.GGUFReader(path)
    begin = time.monotonic()
    for tensor in reader.tensors:
        gguf.quants.dequantize(tensor.data, tensor.tensor_type).astype(numpy.float16)
    return time.monotonic() - begin


def table(results):
    yield "| file | MB | s | of dd's time | peak MiB | listed in ms | safetensors in ms |"
    yield "|---|---|---|---|---|---|---|"
    for row in results:
        ratio = f"{row['dd']:.2f}" if row["bytes"] > 100 * MB and "gguf_py" not in row else ""
        yield (f"| {row['file']} | {row['bytes'] / MB:.0f} | {row['seconds']:.2f} | {ratio} | {row['peak'] / 2**20:.0f}"
               f" | {row['listing_ms']:.0f} | {row['safetensors_ms']:.0f} |")
    for row in results:
        if "gguf_py" in row:
            yield ""
            yield (f"Q4_K to F16: {row['seconds']:.2f} s with the file written, gguf-py {row['gguf_py']:.2f} s without:"
                   f" {row['gguf_py'] / row['seconds']:.1f} times.")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=900)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--folder")
    parser.add_argument("--only", default="")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--make", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--decode", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.make:
        return make(*options.make, options.size)
    if options.decode:
        return print(decode(options.decode))
    results = []
    for name in MAKERS:
        if options.only not in name:
            continue
        with tempfile.TemporaryDirectory(prefix="tfkit-bench.", dir=options.folder) as folder:
            path = Path(folder) / name
            subprocess.run(
                [sys.executable, __file__, "--make", name, path, "--size", str(options.size)], check=True)
            results.append(measure(name, Path(folder), options))
            print(json.dumps(results[-1]), file=sys.stderr, flush=True)
    if options.json:
        return print(json.dumps({"machine": machine(), "results": results}))
    facts = machine()
    text = [
        f"{facts['processor']}, {facts['cores']} cores, {options.rounds} rounds; load of the machine at the end"
        f" {facts['load']:.1f}. Seconds are those of the fastest round, the ratio is the median's.", "", *table(results)]
    print("\n".join(text))
    if options.write:
        write_section(text, START, END)


main()
