"""tfinspect against Python: whole processes, one after the other, over and over.

    Tools/bench tfinspect                   weights that it makes itself
    Tools/bench tfinspect FILE.safetensors  this file
    Tools/bench tfinspect --json            one JSON object instead of a table

stats is held against numpy's min, max, mean and std of the same tensors, which safetensors reads; ls
against a Python that imports safetensors and lists the names. Both start as processes, so Python's start
and its imports count, as they do for a user; "in Python" is what numpy alone takes, measured inside. In
each round both run, so that whatever slows the machine slows both; a ratio is taken within a round, and
its median and spread are told.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy

sys.path.insert(0, str(Path(__file__).parent / "shared"))
from bench_page import machine

BIN = Path(os.environ["BENCH_BIN"])

STATS = """
import sys, time
from safetensors import safe_open
import numpy
seconds = 0
with safe_open(sys.argv[1], "np") as file:
    for name in file.keys():
        start = time.perf_counter()
        tensor = file.get_tensor(name)
        print(name, tensor.min(), tensor.max(), tensor.mean(), tensor.std())
        seconds += time.perf_counter() - start
print(seconds, file=sys.stderr)
"""
LIST = """
import sys, safetensors
with safetensors.safe_open(sys.argv[1], "np") as file:
    print(*file.keys(), sep="\\n")
"""


def make(path, megabytes, tensors):
    """Weights as BERT's are initialised, in matrices of one size: normal, deviation 0.02."""
    width = 768
    height = max(1, megabytes * 1_000_000 // tensors // (4 * width))
    random = numpy.random.default_rng(1)
    matrix = random.standard_normal((height, width), "float32") * numpy.float32(0.02)
    header, position = {}, 0
    for number in range(tensors):
        name = f"encoder.layer.{number // 16}.part.{number % 16}.weight"
        header[name] = {"dtype": "F32", "shape": [height, width],
                        "data_offsets": [position, position + matrix.nbytes]}
        position += matrix.nbytes
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as output:
        output.write(len(text).to_bytes(8, "little") + text)
        for _ in range(tensors):
            output.write(matrix.tobytes())


def run(*command):
    """Seconds of a process, and what it says on standard error."""
    start = time.perf_counter()
    done = subprocess.run([str(c) for c in command], stdout=subprocess.DEVNULL,
                          stderr=subprocess.PIPE, text=True)
    seconds = time.perf_counter() - start
    if done.returncode:
        raise SystemExit(f"bench: {command[0]} ended with {done.returncode}: {done.stderr}")
    return seconds, done.stderr


def measure(path, rounds):
    results = {key: [] for key in ("stats", "numpy", "numpy inside", "ls", "safetensors")}
    # The first round reads the file into the cache.
    for number in range(rounds + 1):
        found = {
            "stats": run(BIN / "tfinspect", "stats", path, "-q", "--no-progress", "-T", 2)[0],
            "ls": run(BIN / "tfinspect", "ls", path)[0],
            "safetensors": run(sys.executable, "-c", LIST, path)[0],
        }
        found["numpy"], inside = run(sys.executable, "-c", STATS, path)
        found["numpy inside"] = float(inside.split()[-1])
        if number:
            for key, seconds in found.items():
                results[key].append(seconds)
    return results


def ratio(results, ours, theirs):
    """Median, least and most of the ratios within rounds."""
    values = sorted(a / b for a, b in zip(results[ours], results[theirs]))
    return {"median": statistics.median(values), "least": values[0], "most": values[-1]}


PAIRS = [("stats", "numpy", "numpy, the process"), ("stats", "numpy inside", "numpy, in Python"),
         ("ls", "safetensors", "import safetensors")]


def table(report):
    lines = [f"{report['tensors']} tensors, {report['bytes'] / 1e6:.0f} MB, {report['rounds']} rounds;"
             f" {report['machine']['processor']}, {report['machine']['cores']} cores,"
             f" load at the start {report['machine']['load']:.1f}", "",
             "| | tfinspect | | it takes | ratio | least to most |", "|---|---|---|---|---|---|"]
    for (ours, theirs, title), found in zip(PAIRS, report["ratios"]):
        a, b = (statistics.median(report["seconds"][key]) * 1e3 for key in (ours, theirs))
        lines.append(f"| {ours} | {a:.0f} ms | {title} | {b:.0f} ms | {found['median']:.2f} |"
                     f" {found['least']:.2f} to {found['most']:.2f} |")
    return lines


def main():
    parser = argparse.ArgumentParser(
        prog="Tools/bench tfinspect", description=__doc__,
        formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("file", nargs="?", type=Path, help="a safetensors file; by default it makes one")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--megabytes", type=int, default=438, help="of the file that it makes")
    parser.add_argument("--tensors", type=int, default=200, help="of the file that it makes")
    parser.add_argument("--folder", default="/dev/shm" if os.path.isdir("/dev/shm") else None,
                        help="where the file is made; a file system in memory by default")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    report = {"schema": "bench.tfinspect/1", "machine": machine(), "rounds": arguments.rounds}
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        path = arguments.file or Path(folder) / "model.safetensors"
        if not arguments.file:
            make(path, arguments.megabytes, arguments.tensors)
        with open(path, "rb") as file:
            header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        report["tensors"] = len(header) - ("__metadata__" in header)
        report["bytes"] = path.stat().st_size
        report["seconds"] = measure(path, arguments.rounds)
    report["ratios"] = [{"ours": a, "theirs": b, **ratio(report["seconds"], a, b)} for a, b, _ in PAIRS]
    print(json.dumps(report, indent=1) if arguments.json else "\n".join(table(report)))


if __name__ == "__main__":
    main()
