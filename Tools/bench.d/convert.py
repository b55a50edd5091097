"""How fast checkpoints are converted, against dd and against Python.

    Tools/bench convert                 on the disk of this folder, and in /dev/shm
    Tools/bench convert --size 500      megabytes of the checkpoint; default 900
    Tools/bench convert --folder DIR    on that disk instead; can be repeated
    Tools/bench convert --json          one JSON object instead of tables
    Tools/bench convert --write         also puts the tables into docs/performance.md

safetensors to safetensors against `dd bs=4M conv=fsync` of the same file: whole processes that end when the
bytes are on the disk, in turn, so that both see the same machine. The ratio is taken round by round.
Python is the usual script: `safetensors.numpy.load_file`, then `save_file` or `numpy.savez`; it does
not wait for the disk. The source is in the page cache.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "shared"))
from bench_page import machine, write_section

BIN = Path(os.environ.get("BENCH_BIN", "."))
ROOT = Path(__file__).resolve().parents[2]
START, END = "<!-- Tools/bench convert --write -->", "<!-- end of convert -->"
LIMIT = 1.2
LOAD = "import sys, numpy, safetensors.numpy as s; a = s.load_file(sys.argv[1]); "


def checkpoint(path, megabytes):
    """Weights of a transformer: in each layer four matrices and two vectors."""
    import numpy
    generator = numpy.random.default_rng(1)
    shapes = [[768, 768], [768, 2304], [768, 3072], [3072, 768], [768], [3072]]
    header, position, number = {}, 0, 0
    while position < megabytes * 1_000_000:
        shape = shapes[number % len(shapes)]
        end = position + 4 * int(numpy.prod(shape))
        name = f"h.{number // len(shapes)}.{number % len(shapes)}.weight"
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [position, end]}
        position, number = end, number + 1
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for start in range(0, position, 4 << 20):
            count = min(4 << 20, position - start) // 4
            file.write((generator.standard_normal(count, dtype="float32") * 0.02).tobytes())


def convert(source, target, *options):
    return [BIN / "tfconvert", source, target, "--no-progress", "-q", *options]


def python(code, source, target):
    return [sys.executable, "-c", LOAD + code, source, target]


def commands(source, folder):
    """Name: command line, and what it writes."""
    out = {kind: folder / f"out.{kind}" for kind in ("safetensors", "npz", "tfz")}
    shards = folder / "shards"
    dd = ["dd", f"if={source}", f"of={folder / 'copy'}", "bs=4M", "conv=fsync", "status=none"]
    return {
        "dd bs=4M conv=fsync": (dd, folder / "copy"),
        "safetensors": (convert(source, out["safetensors"]), out["safetensors"]),
        "shards of 200 MB": (convert(source, f"{shards}/", "--max-shard-size", "200MB"), shards),
        "npz": (convert(source, out["npz"]), out["npz"]),
        "TFZ": (convert(source, out["tfz"]), out["tfz"]),
        "Python, safetensors": (
            python("s.save_file(a, sys.argv[2])", source, out["safetensors"]), out["safetensors"]),
        "Python, npz": (python("numpy.savez(sys.argv[2], **a)", source, out["npz"]), out["npz"]),
    }


def removed(path):
    shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


def seconds(command, target):
    start = time.perf_counter()
    subprocess.run(list(map(str, command)), check=True, stdout=subprocess.DEVNULL)
    spent = time.perf_counter() - start
    removed(target)
    os.sync()
    return spent


def measure(place, megabytes, rounds):
    """Seconds of each command, round by round."""
    with tempfile.TemporaryDirectory(dir=place, prefix="tfkit-convert.") as folder:
        source = Path(folder, "source.safetensors")
        checkpoint(source, megabytes)
        found = commands(source, Path(folder))
        results = {name: [] for name in found}
        for number in range(rounds + 1):
            for name, (command, target) in found.items():
                if number >= 4 and name not in list(found)[:2]:
                    continue  # information only
                spent = seconds(command, target)
                if number:  # the first round fills the page cache
                    results[name].append(spent)
        return results, source.stat().st_size


def ratios(results):
    mine, other = results["safetensors"], results["dd bs=4M conv=fsync"]
    return [one / two for one, two in zip(mine, other)]


def table(results, size):
    yield "| into | median, s | least, s | GB/s, median |"
    yield "|---|---|---|---|"
    for name, spent in results.items():
        middle = statistics.median(spent)
        yield f"| {name} | {middle:.2f} | {min(spent):.2f} | {size / middle / 1e9:.2f} |"


def words(results):
    shares = sorted(ratios(results))
    return (f"safetensors to safetensors takes {statistics.median(shares):.2f} × the time of dd "
            f"({shares[0]:.2f} to {shares[-1]:.2f} in {len(shares)} rounds; at most {LIMIT} is aimed at).")


def main():
    parser = argparse.ArgumentParser(
        prog="bench convert", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=900, metavar="MB")
    parser.add_argument("--rounds", type=int, default=9, help="default: %(default)s")
    parser.add_argument("--folder", action="append", metavar="DIR")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    places = options.folder or [str(ROOT / ".build"), "/dev/shm"]
    where = machine()
    lines = [f"{where['processor']}, {where['cores']} cores; load of the machine at the start "
             f"{where['load']:.1f}."]
    found = {}
    for place in places:
        results, size = measure(place, options.size, options.rounds)
        found[place] = {"bytes": size, "seconds": results, "ratios": ratios(results)}
        name = "In memory (/dev/shm)" if place == "/dev/shm" else "On a disk"
        lines += ["", f"{name}, {size / 1e6:.0f} MB:", "", *table(results, size), "", words(results)]
    if options.json:
        print(json.dumps({"schema": "bench.convert/1", "places": found}))
        return
    print("\n".join(lines))
    if options.write:
        write_section(lines, START, END)


if __name__ == "__main__":
    main()
