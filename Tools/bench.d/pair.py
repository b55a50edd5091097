"""Proving that two checkpoints are the same model, against the usual script.

    Tools/bench pair                  BERT-base, GPT-2 124M and T5-base with random weights
    Tools/bench pair --models bert --rounds 9
    Tools/bench pair --json           one JSON object instead of tables
    Tools/bench pair --write          also puts the table into docs/performance.md

Whole processes, in turn. The script imports transformers, loads both models, runs both on 128 tokens and
compares what they give with allclose, as people write it. tfverify compares every weight bit for bit and
runs both models. Two pairs: *converted*, the other one as tfconvert writes it to an npz file and back, and
*cast*, the other one in bfloat16, where tfverify runs two texts of 512 positions on A and on B.
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
from bench_models import NAMES, USUAL, save
from bench_page import machine, write_section

BIN = Path(os.environ["BENCH_BIN"])
START, END = "<!-- Tools/bench pair --write -->", "<!-- end of pair -->"
SCRIPT = """
import sys, torch
from transformers import AutoModel
a, b = (AutoModel.from_pretrained(path, dtype=torch.float32).eval() for path in sys.argv[1:])
ids = torch.randint(1, 30000, (1, 128), generator=torch.Generator().manual_seed(0))
inputs = {"input_ids": ids, **({"decoder_input_ids": ids} if a.config.is_encoder_decoder else {})}
with torch.no_grad():
    x, y = (model(**inputs).last_hidden_state for model in (a, b))
print(torch.allclose(x, y, atol=1e-1))
"""


def convert(source, target, *options):
    command = [BIN / "tfconvert", source, target, "--no-progress", "-q", *options]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def pairs(name, folder):
    """The model, and what it is compared with, by name."""
    model, copy, cast = Path(folder, name), Path(folder, "copy"), Path(folder, "cast")
    for old in (copy, cast):
        subprocess.run(["rm", "-rf", old], check=True)
    convert(model, Path(folder, "between.npz"), "--force")
    convert(Path(folder, "between.npz"), f"{copy}/")
    (copy / "config.json").write_bytes((model / "config.json").read_bytes())
    convert(model, f"{cast}/", "--dtype", "bf16", "--allow-lossy")
    return {"converted": (model, copy), "cast": (model, cast)}


def seconds(command, code):
    start = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != code:
        raise SystemExit(f"bench: {command[0]} ended with {done.returncode}: {done.stderr}")
    return time.perf_counter() - start


def measure(options, folder):
    results = {}
    for name, _ in save(options.models, folder):
        for kind, (a, b) in pairs(name, folder).items():
            rounds = []
            for number in range(options.rounds + 1):
                ours = seconds([BIN / "tfverify", a, b, "-T", str(options.threads)], 0)
                theirs = seconds([sys.executable, "-c", SCRIPT, a, b], 0)
                if number:  # the first round fills the page cache
                    rounds.append({"tfverify": ours, "script": theirs})
            results[name, kind] = rounds
    return results


def table(results):
    yield "| A | B | tfverify, s | script, s | against the script |"
    yield "|---|---|---|---|---|"
    for (name, kind), rounds in results.items():
        middle = {key: statistics.median(one[key] for one in rounds) for key in rounds[0]}
        shares = [one["tfverify"] / one["script"] for one in rounds]
        yield (f"| {NAMES[name]} | {kind} | {middle['tfverify']:.2f} | {middle['script']:.2f}"
               f" | {statistics.median(shares):.2f} ({min(shares):.2f} to {max(shares):.2f}) × |")


def main():
    parser = argparse.ArgumentParser(
        prog="bench pair", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", choices=NAMES, default=USUAL)
    parser.add_argument("--rounds", type=int, default=3, help="default: %(default)s")
    parser.add_argument("--threads", type=int, default=2, help="default: %(default)s")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    where = machine()
    with tempfile.TemporaryDirectory() as folder:
        results = measure(options, folder)
    described = (f"{where['processor']}, {where['cores']} cores, {options.threads} threads,"
                 f" {options.rounds} rounds; load of the machine at the start {where['load']:.1f}.")
    if options.json:
        cases = [{"model": name, "pair": kind, "rounds": rounds}
                 for (name, kind), rounds in results.items()]
        print(json.dumps({"schema": "bench.pair/1", "machine": described, "cases": cases}))
        return
    lines = [described, "", *table(results)]
    print("\n".join(lines))
    if options.write:
        write_section(lines, START, END)


if __name__ == "__main__":
    main()
