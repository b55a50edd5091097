"""Compares `tfinspect tokens` with tokenizers, sentencepiece or tiktoken, on random texts.

    python Tools/oracle/tokenizer_differential.py FILE... [--lines 1000000] [--seed 1]

FILE is a tokenizer.json, a sentencepiece model, or a list of ranks whose name says how texts are cut (gpt2, cl100k,
o200k). Texts are lines in sixty scripts, with emoji, controls, NUL, marks that stand alone, spaces of every kind,
and the files' own words; they depend on the files and the seed alone. The ids of every line have to be equal, and
the offsets of every --offsets'th one (tiktoken has none); so have those of texts of forty lines, ends of lines
among them. Needs the release build and what requirements-tokenizers.txt names.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
from pathlib import Path

os.environ["TOKENIZERS_PARALLELISM"] = "false"
BIN = Path(__file__).resolve().parents[2] / ".build/release"
CHUNK, LONG, LONG_TEXTS = 20_000, 40, 2
SCRIPTS = [
    (0x20, 0x7E), (0xA0, 0x24F), (0x300, 0x36F), (0x370, 0x3FF), (0x400, 0x52F), (0x530, 0x58F),
    (0x590, 0x5FF), (0x600, 0x6FF), (0x700, 0x74F), (0x780, 0x7BF), (0x7C0, 0x7FF), (0x900, 0x97F),
    (0x980, 0x9FF), (0xA00, 0xA7F), (0xA80, 0xAFF), (0xB00, 0xB7F), (0xB80, 0xBFF), (0xC00, 0xC7F),
    (0xC80, 0xCFF), (0xD00, 0xD7F), (0xD80, 0xDFF), (0xE00, 0xE7F), (0xE80, 0xEFF), (0xF00, 0xFFF),
    (0x1000, 0x109F), (0x10A0, 0x10FF), (0x1100, 0x11FF), (0x1200, 0x137F), (0x13A0, 0x13FF),
    (0x1400, 0x167F), (0x16A0, 0x16FF), (0x1780, 0x17FF), (0x1800, 0x18AF), (0x1DC0, 0x1DFF),
    (0x1E00, 0x1EFF), (0x1F00, 0x1FFF), (0x2010, 0x2027), (0x2070, 0x20CF), (0x20D0, 0x20FF),
    (0x2100, 0x218F), (0x2190, 0x23FF), (0x2460, 0x27BF), (0x2C00, 0x2DFF), (0x2E80, 0x2FFF),
    (0x3001, 0x30FF), (0x3100, 0x33FF), (0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xA000, 0xA4CF),
    (0xA500, 0xABFF), (0xAC00, 0xD7A3), (0xF900, 0xFDFF), (0xFE00, 0xFFEF), (0x10000, 0x103FF),
    (0x11000, 0x11FFF), (0x12000, 0x123FF), (0x13000, 0x1342F), (0x1D000, 0x1D7FF),
    (0x1E000, 0x1EFFF), (0x1F000, 0x1FAFF), (0x20000, 0x2A6DF), (0x2F800, 0x2FA1F),
    (0xE0000, 0xE01EF), (0, 9), (0xB, 0x1F), (0x7F, 0x9F),
]
SPACES = [
    " ", "  ", "   ", "\t", "\r", "\x0b", "\x0c", "\x85", "\xa0", "\u1680", "\u180e", "\u2000",
    "\u2003", "\u2009", "\u200b", "\u2028", "\u2029", "\u202f", "\u205f", "\u2060", "\u3000", "\ufeff",
]
SNIPPETS = [
    "'s", "'S", "'ſ", "don't", "I'VE", "ß", "ﬁ", "ﷺ", "İ", "e\u0301", "\u0301", "가", "한글", "👩‍👩‍👧‍👧",
    "🇩🇪", "\0", "...", "1234567", "٣٤٥", "½", "!!!", "_a_b", "Ġ", "▁", "\ufffd", "\ue000", "\U0001d15e",
    "\u1100\u1161\u11a8", "<0x41>", "a" * 120, "ab" * 60,
]


def text(words):
    parts = []
    for _ in range(random.randint(0, 12)):
        kind = random.random()
        if kind < 0.4:
            parts.append(random.choice(words))
        elif kind < 0.5:
            parts.append(random.choice(SNIPPETS))
        elif kind < 0.7:
            parts.append(random.choice(SPACES))
        else:
            first, last = random.choice(SCRIPTS)
            parts.append("".join(chr(random.randint(first, last)) for _ in range(random.randint(1, 6))))
        if random.random() < 0.4:
            parts.append(" ")
    return "".join(parts)


def library(file):
    """The words of a file, and a function from a text to ids and offsets, and what offsets count."""
    if file.suffix == ".json":
        from tokenizers import Tokenizer

        tokenizer = Tokenizer.from_file(str(file))

        def encode(line):
            e = tokenizer.encode(line)
            return e.ids, e.offsets

        return list(tokenizer.get_vocab()), encode, "characters"
    if file.suffix == ".tiktoken":
        return ranks(file)
    from sentencepiece import SentencePieceProcessor

    processor = SentencePieceProcessor(model_file=str(file))

    def encode_pieces(line):
        pieces = processor.encode(line, return_type="proto").pieces
        return [p.id for p in pieces], [(p.begin, p.end) for p in pieces]

    return [processor.id_to_piece(i) for i in range(len(processor))], encode_pieces, "bytes"


def ranks(file):
    import base64

    import tiktoken
    from tokenizer_files import CL100K, GPT2, O200K

    cuts = {"gpt2": GPT2, "cl100k": CL100K, "o200k": O200K}
    cut = next(cut for name, cut in cuts.items() if name in file.name)
    lines = (line.split() for line in file.read_bytes().splitlines())
    words = {base64.b64decode(word): int(rank) for word, rank in lines}
    encoding = tiktoken.Encoding(file.name, pat_str=cut, mergeable_ranks=words, special_tokens={})
    texts = [word.decode(errors="ignore") for word in words]
    return texts, lambda line: (encoding.encode_ordinary(line), None), None


def tokens(command, corpus, lines, *options):
    """Starts the command, with a tokenizer, on some lines."""
    corpus.write_bytes("".join(line + "\n" for line in lines).encode())
    command = [*command, "--text-file", corpus, *options]
    # What it prints may be more than a pipe holds while the library is still at work.
    shown = open(corpus.with_suffix(".out"), "wb+")
    return subprocess.Popen(command, stdout=shown), shown


def printed(started):
    process, shown = started
    if process.wait():
        raise SystemExit(f"tfinspect ended with {process.returncode}")
    with shown:
        shown.seek(0)
        return shown.read().decode().split("\n")[:-1]


def differences(file, tfinspect, corpus, every, scratch):
    """Texts of which ids or offsets are not equal: the text, what is here and what is there."""
    _, encode, counted = library(file)
    command = [tfinspect, "tokens", file]
    with open(corpus, encoding="utf-8", newline="\n") as lines:
        lines = iter(lines)
        while chunk := [line.rstrip("\n") for _, line in zip(range(CHUNK), lines, strict=False)]:
            started = tokens(command, scratch / "lines.txt", chunk, "--lines", "-q")
            theirs = [encode(line) for line in chunk]
            some = range(0, len(chunk), every) if counted else range(0)
            more = tokens(command, scratch / "some.txt", [chunk[i] for i in some], "--lines", "--json")
            for line, given, (ids, _) in zip(chunk, printed(started), theirs, strict=True):
                if given != " ".join(map(str, ids)):
                    yield line, given, ids
            for index, given in zip(some, printed(more), strict=True):
                ids, offsets = theirs[index]
                own = [(t["id"], tuple(t[counted] or (0, 0))) for t in json.loads(given)["tokens"]]
                if own != list(zip(ids, map(tuple, offsets), strict=True)):
                    yield chunk[index], own, list(zip(ids, offsets, strict=True))
            for start in range(0, LONG * LONG_TEXTS, LONG):
                text = "".join(line + "\n" for line in chunk[start : start + LONG])
                given = printed(tokens(command, scratch / "text.txt", chunk[start : start + LONG], "-q"))
                ids, _ = encode(text)
                if given != [" ".join(map(str, ids))]:
                    yield text, given, ids


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--lines", type=int, default=1000)
    parser.add_argument("--offsets", type=int, default=10, metavar="N")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--bin", type=Path, default=BIN, metavar="DIR")
    options = parser.parse_args()
    random.seed(options.seed)
    total = 0
    with tempfile.TemporaryDirectory() as folder:
        corpus = Path(folder, "corpus")
        words = sorted({word for file in options.files for word in library(file)[0]})
        with open(corpus, "w", encoding="utf-8", newline="\n") as lines:
            for _ in range(options.lines):
                lines.write(text(words).replace("\n", " ") + "\n")
        for file in options.files:
            found = list(
                differences(file, options.bin / "tfinspect", corpus, options.offsets, Path(folder)))
            total += len(found)
            print(f"{file}: {len(found)} differences in {options.lines} texts", flush=True)
            for line, own, theirs in found[:3]:
                print(f"  {line!a}\n    here  {own}\n    there {theirs}", flush=True)
    return 1 if total else 0


if __name__ == "__main__":
    sys.exit(main())
