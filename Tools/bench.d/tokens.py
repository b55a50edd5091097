"""tfinspect tokens against tokenizers' Python package, on one thread.

    Tools/bench tokens FILE...                      tokenizer.json files, a text that it makes itself
    Tools/bench tokens FILE... --text CORPUS.txt    this text

The whole text is one call. For the package that call is timed, without Python's start and without reading the
file; for tfinspect it is the whole process, which prints the ids. The ids are compared.
"""

import argparse
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ.update(RAYON_NUM_THREADS="1", TOKENIZERS_PARALLELISM="false")
from tokenizers import Tokenizer  # noqa: E402

sys.path.insert(0, str(Path(__file__).parent / "shared"))
from bench_page import machine  # noqa: E402

TFINSPECT = Path(os.environ["BENCH_BIN"], "tfinspect")
DOCS = Path(__file__).resolve().parents[2] / "docs"


def made_text(size):
    """Words of the documentation in a random order, a sentence a line, and a line in twenty in other scripts."""
    words = " ".join(path.read_text() for path in sorted(DOCS.glob("*.md"))).split()
    others = "Größe naïve Привет мир Γειά σου 你好世界 こんにちは 안녕하세요 مرحبا नमस्ते 😀 ½".split()
    source = random.Random(1)
    lines, count = [], 0
    while count < size:
        chosen = others if source.random() < 0.05 else words
        lines.append(" ".join(source.choice(chosen) for _ in range(15)) + ".")
        count += len(lines[-1].encode()) + 1
    return "\n".join(lines) + "\n"


def compare(file, text, path, rounds):
    tokenizer = Tokenizer.from_file(str(file))
    own, theirs = [], []
    for _ in range(rounds):
        start = time.perf_counter()
        ids = tokenizer.encode(text).ids
        theirs.append(time.perf_counter() - start)
        start = time.perf_counter()
        command = [TFINSPECT, "tokens", file, "--text-file", path, "-q"]
        shown = subprocess.run(command, capture_output=True, check=True).stdout
        own.append(time.perf_counter() - start)
    same = [int(word) for word in shown.split()] == ids
    rate = len(text.encode()) / 1e6
    ratio = statistics.median(b / a for a, b in zip(own, theirs, strict=True))
    print(
        f"{file}: tfinspect {rate / min(own):.1f} MB/s, tokenizers {rate / min(theirs):.1f} MB/s, "
        f"{ratio:.1f} times as fast; {len(ids)} ids, {'the same' if same else 'NOT THE SAME'}",
        flush=True,
    )
    return same


def main():
    parser = argparse.ArgumentParser(prog="bench tokens", description=__doc__.split("\n")[0])
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--text", type=Path)
    parser.add_argument("--megabytes", type=float, default=10)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    print(machine(), flush=True)
    text = options.text.read_bytes().decode() if options.text else made_text(options.megabytes * 1e6)
    with tempfile.NamedTemporaryFile("wb", suffix=".txt") as corpus:
        corpus.write(text.encode())
        corpus.flush()
        equal = [compare(file, text, corpus.name, options.rounds) for file in options.files]
    return 0 if all(equal) else 1


if __name__ == "__main__":
    sys.exit(main())
