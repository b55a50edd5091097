"""TFZ against ZipNN, zstd and blosc2: size and speed, side by side, in one run.

    Tools/bench tfz                       random-initialised weights and those of MiniLM; f32, bf16, f16
    Tools/bench tfz FILE.safetensors ...  these files as they are
    Tools/bench tfz --static FOLDER       whole processes with the commands there; by default those of a
                                          release (.build/static/stripped), if Tools/release has made them
    Tools/bench tfz --json                one JSON object instead of tables
    Tools/bench tfz --write               also puts the tables into docs/performance.md

In memory against in memory, two threads each (zstd and blosc2 decompress as they can), on the bytes
behind the safetensors header. Rounds: everything is measured once, then everything again; a rate is
that of the fastest round, with the median behind it. A machine that does other things at the same time
slows all of them down; ratios are taken within a round.
"""

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
import types
import warnings
from pathlib import Path

import numpy

sys.path.insert(0, str(Path(__file__).parent / "shared"))
from bench_page import machine, write_section

THREADS = 2
BIN = Path(os.environ["BENCH_BIN"])
ROOT = Path(__file__).resolve().parents[2]
STATIC = ROOT / ".build" / "static" / "stripped"
WIDTH = {"F32": 4, "BF16": 2, "F16": 2}
EXPONENT = {"F32": 8, "BF16": 8, "F16": 5}
START, END = "<!-- Tools/bench tfz --write -->", "<!-- end -->"


# Files


def header_of(data):
    end = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:end])
    header.pop("__metadata__", None)
    return header, end


def write_safetensors(path, tensors):
    """Writes (name, dtype, shape, array) one after the other."""
    header, position = {}, 0
    for name, dtype, shape, array in tensors:
        header[name] = {"dtype": dtype, "shape": list(shape),
                        "data_offsets": [position, position + array.nbytes]}
        position += array.nbytes
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as output:
        output.write(len(text).to_bytes(8, "little") + text)
        for *_, array in tensors:
            output.write(array.tobytes())


def cast(array, dtype):
    """Single precision to another type, to the nearest, ties to even."""
    if dtype == "F32":
        return array
    if dtype == "F16":
        return array.astype("<f2")
    bits = array.view("<u4")
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype("<u2")


def random_weights(millions):
    """Weights as BERT's are initialised: normal, deviation 0.02, biases zero, norms one."""
    random = numpy.random.default_rng(1)
    width, tensors, count = 768, [], 0
    while count < millions * 1e6:
        name = f"encoder.layer.{len(tensors) // 6}"
        for part, shape in (("in", (4 * width, width)), ("out", (width, 4 * width))):
            matrix = random.standard_normal(shape, "float32") * numpy.float32(0.02)
            tensors.append((f"{name}.{part}.weight", shape, matrix))
            tensors.append((f"{name}.{part}.bias", shape[:1], numpy.zeros(shape[0], "float32")))
            tensors.append((f"{name}.{part}.norm", (width,), numpy.ones(width, "float32")))
            count += matrix.size
    return tensors


def real_weights():
    fetched = subprocess.run([ROOT / "Tools" / "real-model", "fetch"], capture_output=True, text=True)
    if fetched.returncode:
        print(f"bench: left out MiniLM: {fetched.stderr.strip()}", file=sys.stderr)
        return None
    data = Path(fetched.stdout.strip(), "model.safetensors").read_bytes()
    header, end = header_of(data)
    tensors = []
    for name, entry in sorted(header.items(), key=lambda item: item[1]["data_offsets"]):
        if entry["dtype"] == "F32":
            begin, stop = entry["data_offsets"]
            array = numpy.frombuffer(data[end + begin:end + stop], "<f4")
            tensors.append((name, tuple(entry["shape"]), array))
    return tensors


def default_inputs(folder, millions):
    sources = [("random", random_weights(millions)), ("MiniLM", real_weights())]
    for title, tensors in sources:
        for dtype in WIDTH if tensors else ():
            path = folder / f"{title}-{dtype}.safetensors"
            write_safetensors(path, [(n, dtype, s, cast(a, dtype)) for n, s, a in tensors])
            yield f"{title} {dtype}", path


def shannon_bound(data, header, end):
    """The size if exponents took what their frequencies in each tensor say, and all else is noise."""
    bits = 0
    for entry in header.values():
        begin, stop = entry["data_offsets"]
        dtype = entry["dtype"]
        if dtype not in WIDTH or begin == stop:
            bits += 8 * (stop - begin)
            continue
        width, exponent = WIDTH[dtype], EXPONENT[dtype]
        numbers = numpy.frombuffer(data, f"<u{width}", (stop - begin) // width, end + begin)
        if not numbers.any() or (numbers == numbers[0]).all():
            continue
        exponents = (numbers >> (8 * width - 1 - exponent)) & (2**exponent - 1)
        counts = numpy.bincount(exponents.astype("i8"))
        share = counts[counts > 0] / len(numbers)
        bits += len(numbers) * (8 * width - exponent - (share * numpy.log2(share)).sum())
    return math.ceil(bits / 8)


# Contestants: each compresses and decompresses once, and says (size, seconds in, seconds out)


def timed(action):
    start = time.perf_counter()
    result = action()
    return time.perf_counter() - start, result


def tfz(path, level):
    command = [BIN / "tfconvert", "bench", path, "--level", str(level), "--repeat", "1",
               "-T", str(THREADS), "--json"]
    result = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    return (result["compressed_bytes"], result["compress_seconds"]["min"],
            result["decompress_seconds"]["min"])


def in_memory(data, compress, decompress):
    copy = bytearray(data)  # ZipNN may change what it is given
    seconds_in, packed = timed(lambda: compress(copy))
    seconds_out, back = timed(lambda: decompress(packed))
    assert bytes(back) == bytes(data), "comes back different"
    return len(packed), seconds_in, seconds_out


def zipnn_for(dtype):
    warnings.simplefilter("ignore")
    try:
        import torch  # noqa: F401
    except ImportError:
        sys.modules["torch"] = StandIn("torch")
        sys.modules["safetensors.torch"] = StandIn("safetensors.torch")
    import zipnn
    names = {"F32": "float32", "BF16": "bfloat16", "F16": "float16"}
    worker = zipnn.ZipNN(bytearray_dtype=names[dtype], input_format="byte", threads=THREADS)
    return worker.compress, worker.decompress


class StandIn(types.ModuleType):
    """Has every name. ZipNN imports torch, and for bytes uses nothing of it."""

    __path__ = []

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return (lambda function: function) if name == "script" else StandIn(name)

    def __call__(self, *_):
        return self


def zstd_for(level):
    import zstandard
    packer = zstandard.ZstdCompressor(level=level, threads=THREADS)
    return packer.compress, zstandard.ZstdDecompressor().decompress


def blosc_for(width):
    import blosc2
    blosc2.set_nthreads(THREADS)
    # Its own limit is 2 GiB a call, and its fastest setting of zstd is the fairest here.
    parameters = {"codec": blosc2.Codec.ZSTD, "clevel": 1, "typesize": width,
                  "filters": [blosc2.Filter.SHUFFLE], "nthreads": THREADS}
    return (lambda data: blosc2.compress2(data, **parameters),
            lambda packed: blosc2.decompress2(packed, nthreads=THREADS))


def contestants(path, data, dtype):
    """name: (action, slow). What is slow is measured in the first round only."""
    width = WIDTH[dtype]
    found = {"TFZ": (lambda: tfz(path, 1), False),
             "TFZ --level 9": (lambda: tfz(path, 9), True)}
    others = [("ZipNN 0.5.4", lambda: zipnn_for(dtype), False),
              ("zstd -1", lambda: zstd_for(1), False), ("zstd -3", lambda: zstd_for(3), False),
              ("zstd -19", lambda: zstd_for(19), True),
              ("blosc2 shuffle, zstd", lambda: blosc_for(width), False)]
    for name, make, slow in others:
        pair = make()
        found[name] = (lambda pair=pair: in_memory(data, *pair), slow)
    return found


def measure(title, path, rounds, skip):
    data = path.read_bytes()
    header, end = header_of(data)
    sizes = {}
    for entry in header.values():
        begin, stop = entry["data_offsets"]
        sizes[entry["dtype"]] = sizes.get(entry["dtype"], 0) + stop - begin
    dtype = max((d for d in sizes if d in WIDTH), key=sizes.get, default="F32")
    body = memoryview(data)[end:]
    results = {}
    for number in range(rounds):
        for name, (action, slow) in contestants(path, body, dtype).items():
            if name in skip or slow and number:
                continue
            size, seconds_in, seconds_out = action()
            entry = results.setdefault(name, {"bytes": size, "compress": [], "decompress": []})
            entry["compress"].append(seconds_in)
            entry["decompress"].append(seconds_out)
    return {"input": title, "dtype": dtype, "bytes": len(body),
            "bound": shannon_bound(data, header, end), "results": results}


# Whole processes


def run(*command):
    """Seconds of a process, and of processors that it used."""
    start = time.perf_counter()
    process = subprocess.Popen([str(c) for c in command], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"bench: {command} ended with {process.returncode}")
    return {"seconds": seconds, "cpu": usage.ru_utime + usage.ru_stime}


def peak_of(*command):
    """Peak bytes of a process. Linux counts what this one has into the rusage of those it starts, so
    the process's own account is read, over and over, while it runs."""
    process = subprocess.Popen([str(c) for c in command], stdout=subprocess.DEVNULL)
    peak = 0
    while process.poll() is None:
        try:
            status = Path(f"/proc/{process.pid}/status").read_text()
            peak = max(peak, int(status.split("VmHWM:")[1].split()[0]) << 10)
        except (OSError, IndexError):
            pass
    return peak


def processes(title, path, folder, rounds, commands):
    """tfconvert both ways against cp of the raw file, all on the same file system."""
    packed, out, copy = folder / "p.tfz", folder / "out.safetensors", folder / "copy"
    results = {"cp": [], "compress": [], "decompress": []}
    for _ in range(rounds):
        for target in (packed, out, copy):
            target.unlink(missing_ok=True)
        results["cp"].append(run("cp", path, copy))
        convert = (commands / "tfconvert", "-q", "-T", THREADS)
        results["compress"].append(run(*convert, path, packed))
        results["decompress"].append(run(*convert, packed, out))
    assert out.read_bytes() == path.read_bytes(), "comes back different"
    peak = max(peak_of(*convert, path, packed, "-f"), peak_of(*convert, packed, out, "-f"))
    for target in (packed, out, copy):
        target.unlink()
    return {"input": title, "bytes": path.stat().st_size, "peak": peak, "results": results}


def one_tensor(folder, rounds, commands):
    """A tensor of 3 MB out of a TFZ file of 500 MB, as a file of its own."""
    random = numpy.random.default_rng(2)
    block = random.standard_normal((1024, 768), "float32") * numpy.float32(0.02)
    raw, packed = folder / "large.safetensors", folder / "large.tfz"
    count = 195
    # Differences in the last bits are enough for no two tensors to be the same.
    tensors = [(f"t{k}", "F32", block.shape, (block.view("<u4") ^ k).view("<f4"))
               for k in range(count)]
    write_safetensors(raw, tensors)
    run(commands / "tfconvert", raw, packed, "-q")
    raw.unlink()
    results = []
    for number in range(rounds):
        out = folder / "t.npy"
        out.unlink(missing_ok=True)
        name = f"t{(number * 37) % count}"
        results.append(run(commands / "tfconvert", packed, out, "--include", name, "-q"))
    peak = peak_of(commands / "tfconvert", packed, out, "--include", name, "-q", "-f")
    out.unlink()
    size = packed.stat().st_size
    packed.unlink()
    return {"file_bytes": size, "tensor_bytes": block.nbytes, "peak": peak, "results": results}


# Reports


def rate(byte_count, seconds):
    values = (byte_count / min(seconds) / 1e9, byte_count / statistics.median(seconds) / 1e9)
    best, middle = ("<0.01" if value < 0.005 else f"{value:.2f}" for value in values)
    return f"{best} ({middle})"


def memory_table(measurements):
    lines = ["| weights | | size | of the bound | compression GB/s | decompression GB/s |",
             "|---|---|---|---|---|---|"]
    for m in measurements:
        label = f"{m['input']}, {m['bytes'] / 1e6:.0f} MB"
        lines.append(f"| {label} | Shannon bound | {m['bound'] / m['bytes']:.2%} | | | |")
        for name, r in m["results"].items():
            lines.append(
                f"| | {name} | {r['bytes'] / m['bytes']:.2%} | {r['bytes'] / m['bound']:.4f}"
                f" | {rate(m['bytes'], r['compress'])} | {rate(m['bytes'], r['decompress'])} |")
    return lines


def ratios(measurement):
    """How much faster than ZipNN, within each round; (best, median) each way."""
    ours, theirs = (measurement["results"].get(n) for n in ("TFZ", "ZipNN 0.5.4"))
    if not ours or not theirs:
        return None
    pairs = [[b / a for a, b in zip(ours[k], theirs[k])] for k in ("compress", "decompress")]
    return [(min(p), statistics.median(p), max(p)) for p in pairs]


def ratio_table(measurements):
    lines = ["| weights | size | compression | decompression |", "|---|---|---|---|"]
    for m in measurements:
        found = ratios(m)
        if found:
            ours, theirs = (m["results"][n]["bytes"] for n in ("TFZ", "ZipNN 0.5.4"))
            cells = [f"{middle:.1f} × ({low:.1f} to {high:.1f})" for low, middle, high in found]
            lines.append(f"| {m['input']} | {ours / theirs:.4f} × | {cells[0]} | {cells[1]} |")
    return lines


def process_table(measurements):
    lines = ["| weights | cp | compress | decompress | against cp | peak memory |",
             "|---|---|---|---|---|---|"]
    for m in measurements:
        r = m["results"]
        cells = [f"{min(x['seconds'] for x in r[k]):.3f} s" for k in ("cp", "compress", "decompress")]
        against = [d["seconds"] / c["seconds"] for c, d in zip(r["cp"], r["decompress"])]
        best = min(x["seconds"] for x in r["decompress"]) / min(x["seconds"] for x in r["cp"])
        lines.append(
            f"| {m['input']}, {m['bytes'] / 1e6:.0f} MB | {' | '.join(cells)}"
            f" | {best:.2f} × (median {statistics.median(against):.2f}) | {m['peak'] >> 20} MiB |")
    return lines


def tables(report):
    where = report["machine"]
    lines = [
        f"{where['processor']}, {where['cores']} cores, {report['rounds']} rounds, {THREADS} threads;"
        " load of the machine at the start "
        f"{where['load']:.1f}. A rate is that of the fastest round, in brackets the median.", "",
        *memory_table(report["memory"]), ""]
    if any(ratios(m) for m in report["memory"]):
        lines += ["TFZ against ZipNN, the median of the rounds, and the least and the most:", "",
                  *ratio_table(report["memory"]), ""]
    if report["processes"]:
        lines += [f"Whole processes on tmpfs, the fastest round, with {report['commands']};"
                  " decompressing against `cp` of the raw file:", "",
                  *process_table(report["processes"]), ""]
    if report["tensor"]:
        t = report["tensor"]
        seconds = sorted(r["seconds"] for r in t["results"])
        lines.append(
            f"One tensor of {t['tensor_bytes'] / 1e6:.1f} MB out of a TFZ file of"
            f" {t['file_bytes'] / 1e6:.0f} MB, as a process that writes it to a file:"
            f" {seconds[0] * 1e3:.0f} ms (median {statistics.median(seconds) * 1e3:.0f} ms),"
            f" {t['peak'] >> 20} MiB.")
    return lines


def main():
    parser = argparse.ArgumentParser(
        prog="Tools/bench tfz", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("files", nargs="*", type=Path, help="safetensors files; by default, see above")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--millions", type=int, default=24, help="random weights, in millions")
    parser.add_argument("--skip", action="append", default=[], help="leave out, e.g. 'zstd -19'")
    parser.add_argument("--no-processes", action="store_true", help="in memory only")
    parser.add_argument("--folder", default="/dev/shm" if os.path.isdir("/dev/shm") else None,
                        help="where files are written; a file system in memory by default")
    parser.add_argument("--static", type=Path, default=STATIC, metavar="FOLDER")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--write", action="store_true", help="put the tables into docs/performance.md")
    arguments = parser.parse_args()
    is_static = (arguments.static / "tfconvert").exists()
    commands = arguments.static if is_static else BIN
    report = {"schema": "bench.tfz/1", "machine": machine(), "threads": THREADS,
              "commands": f"the commands of {'a release' if is_static else 'the development build'}",
              "rounds": arguments.rounds, "memory": [], "processes": [], "tensor": None}
    with tempfile.TemporaryDirectory(dir=arguments.folder) as name:
        folder = Path(name)
        inputs = [(f.name, f) for f in arguments.files]
        for title, path in inputs or default_inputs(folder, arguments.millions):
            print(f"bench: {title}", file=sys.stderr)
            report["memory"].append(measure(title, path, arguments.rounds, arguments.skip))
            if not arguments.no_processes:
                report["processes"].append(processes(title, path, folder, arguments.rounds, commands))
            if not inputs:
                path.unlink()
        if not inputs and not arguments.no_processes:
            report["tensor"] = one_tensor(folder, arguments.rounds, commands)
    lines = tables(report)
    if arguments.write:
        write_section(lines, START, END)
    print(json.dumps(report, indent=1) if arguments.json else "\n".join(lines))


if __name__ == "__main__":
    main()
