"""How long the commands take to start, and to list a large checkpoint.

    Tools/bench startup                     the commands as they are built for development
    Tools/bench startup --static FOLDER     those of a release as well (default: .build/static/stripped)
    Tools/bench startup --json              one JSON object instead of tables
    Tools/bench startup --write             also puts the tables into docs/performance.md

Whole processes, one after the other in turn, so that all see the same machine. The large checkpoint is
a safetensors file of 900 MB with 400 tensors, sparse: its header is read, its tensors are not.
/bin/true says what starting any process costs here, measured from Python as everything else.
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

sys.path.insert(0, str(Path(__file__).parent / "shared"))
from bench_page import machine, write_section

BIN = Path(os.environ["BENCH_BIN"])
ROOT = Path(__file__).resolve().parents[2]
STATIC = ROOT / ".build" / "static" / "stripped"
TINY = ROOT / "Fixtures" / "bert" / "base"
START, END = "<!-- Tools/bench startup --write -->", "<!-- end of startup -->"


def large_checkpoint(path):
    """A safetensors file of 400 tensors and 900 MB, of which only the header takes room."""
    rows, columns, header, position = 733, 768, {}, 0
    for number in range(400):
        end = position + 4 * rows * columns
        name = f"encoder.layer.{number // 16}.part.{number % 16}.weight"
        header[name] = {"dtype": "F32", "shape": [rows, columns], "data_offsets": [position, end]}
        position = end
    text = json.dumps(header).encode()
    with open(path, "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        file.truncate(8 + len(text) + position)


def commands(static, large):
    """What is measured: name and command line."""
    found = {"/bin/true": ["/bin/true"]}
    folders = {"": BIN, ", static": static}
    for label, folder in folders.items():
        if folder is None or not (folder / "tfinspect").exists():
            continue
        for name in ("tfconvert", "tfinspect", "tfverify"):
            found[f"{name} --version{label}"] = [folder / name, "--version"]
        found[f"tfinspect ls, a small file{label}"] = [folder / "tfinspect", "ls", TINY]
        found[f"tfinspect ls, 900 MB{label}"] = [folder / "tfinspect", "ls", large]
    found["python -c 'import safetensors'"] = [sys.executable, "-c", "import safetensors"]
    return found


def seconds(command):
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def measure(rounds, static):
    with tempfile.TemporaryDirectory() as folder:
        large = Path(folder, "large.safetensors")
        large_checkpoint(large)
        found = commands(static, large)
        results = {name: [] for name in found}
        for number in range(rounds + 1):
            for name, command in found.items():
                spent = seconds(command)
                if number:  # the first round fills the page cache
                    results[name].append(spent)
    return results


def table(results):
    yield "| process | least, ms | median, ms | 90 % below, ms |"
    yield "|---|---|---|---|"
    for name, spent in results.items():
        values = (min(spent), statistics.median(spent), sorted(spent)[int(0.9 * (len(spent) - 1))])
        yield f"| {name} | " + " | ".join(f"{1e3 * value:.1f}" for value in values) + " |"


def ratios(results):
    """Listing a large file against importing safetensors: the median of the rounds."""
    base = results["python -c 'import safetensors'"]
    for name, spent in results.items():
        if "900 MB" in name:
            shares = [one / other for one, other in zip(spent, base)]
            yield (f"`{name}` takes {statistics.median(shares):.2f} × the time of "
                   f"`python -c 'import safetensors'` ({min(shares):.2f} to {max(shares):.2f}).")


def described(rounds):
    where = machine()
    return (f"{where['processor']}, {where['cores']} cores, {rounds} rounds; "
            f"load of the machine at the start {where['load']:.1f}.")


def main():
    parser = argparse.ArgumentParser(
        prog="bench startup", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--static", type=Path, default=STATIC, metavar="FOLDER")
    parser.add_argument("--rounds", type=int, default=40, help="default: %(default)s")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    description = described(options.rounds)
    results = measure(options.rounds, options.static)
    if options.json:
        print(json.dumps({"schema": "bench.startup/1", "machine": description, "seconds": results}))
        return
    lines = [description, "", *table(results), "", *ratios(results)]
    print("\n".join(lines))
    if options.write:
        write_section(lines, START, END)


if __name__ == "__main__":
    main()
