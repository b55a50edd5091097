"""How the cost grows: with layers, length and batch of a pass, with tensors and shards of a conversion.

    Tools/bench growth               tables, and the slopes
    Tools/bench growth --json        one JSON object instead of tables
    Tools/bench growth --write       also puts them into docs/performance.md, and a picture beside it

The forward pass is that of a BERT of width 256 with random weights, by `tfverify bench`: one of layers (4),
length (128) and batch (1) changes, the others stay. Conversions are whole processes, safetensors to
safetensors, 64 MB in /dev/shm where there is one: cut into more and more tensors, or into more and more
shards of 1024 tensors together. Each number is the least of --rounds.

A slope is that of the straight line through the last three points, both axes logarithmic: 1 is
proportional, 0 does not depend.
"""

import argparse
import json
import math
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "shared"))
from bench_page import PAGE, machine, write_section

BIN = Path(os.environ["BENCH_BIN"])
START, END = "<!-- Tools/bench growth --write -->", "<!-- end of growth -->"
PICTURE = PAGE.with_name("growth.svg")
WIDTH, INNER, WORDS, POSITIONS = 256, 1024, 1000, 2048
BYTES = 64 << 20
SERIES = {  # what grows, and how far
    "layers": [1, 2, 4, 8, 16, 32],
    "length": [32, 64, 128, 256, 512, 1024, 2048],
    "batch": [1, 2, 4, 8, 16, 32],
    "tensors": [16, 64, 256, 1024, 4096, 16384],
    "shards": [1, 2, 4, 8, 16, 32, 64],
}


def save(path, tensors):
    from safetensors.numpy import save_file

    save_file(tensors, path)


def bert(folder, layers):
    """A BERT of so many layers."""
    import numpy as np

    generator = np.random.default_rng(layers)

    def weight(*shape):
        return (generator.standard_normal(shape, dtype="float32") * 0.05).astype("float32")

    def norm(name):
        return {f"{name}.weight": weight(WIDTH) + 1, f"{name}.bias": weight(WIDTH)}

    def linear(name, out, inner):
        return {f"{name}.weight": weight(out, inner), f"{name}.bias": weight(out)}

    tensors = {
        "embeddings.word_embeddings.weight": weight(WORDS, WIDTH),
        "embeddings.position_embeddings.weight": weight(POSITIONS, WIDTH),
        "embeddings.token_type_embeddings.weight": weight(2, WIDTH), **norm("embeddings.LayerNorm")}
    for number in range(layers):
        layer = f"encoder.layer.{number}"
        for part in ("query", "key", "value"):
            tensors |= linear(f"{layer}.attention.self.{part}", WIDTH, WIDTH)
        tensors |= linear(f"{layer}.attention.output.dense", WIDTH, WIDTH)
        tensors |= norm(f"{layer}.attention.output.LayerNorm")
        tensors |= linear(f"{layer}.intermediate.dense", INNER, WIDTH)
        tensors |= linear(f"{layer}.output.dense", WIDTH, INNER) | norm(f"{layer}.output.LayerNorm")
    config = {
        "architectures": ["BertModel"], "model_type": "bert", "vocab_size": WORDS, "hidden_size": WIDTH,
        "num_hidden_layers": layers, "num_attention_heads": 4, "intermediate_size": INNER,
        "max_position_embeddings": POSITIONS}
    folder.mkdir()
    save(folder / "model.safetensors", tensors)
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def forward(model, rounds, length=128, batch=1):
    """Milliseconds."""
    done = subprocess.run(
        [BIN / "tfverify", "bench", model, "--json", "--length", str(length), "--batch", str(batch),
         "--repeat", str(max(5, 2 * rounds))], check=True, capture_output=True, text=True)
    return json.loads(done.stdout)["min_ms"]


def checkpoint(path, tensors):
    """A file of `BYTES` in so many tensors."""
    import numpy as np

    size = BYTES // 4 // tensors
    numbers = np.random.default_rng(tensors).standard_normal((tensors, size), dtype="float32")
    save(path, {f"block.{number}.weight": row for number, row in enumerate(numbers)})
    return path


def conversion(source, target, rounds, *options):
    """Milliseconds."""
    best = math.inf
    for _ in range(rounds):
        shutil.rmtree(target, ignore_errors=True)
        start = time.perf_counter()
        subprocess.run([BIN / "tfconvert", source, f"{target}/", "-q", "--no-progress", *options],
                       check=True, stdout=subprocess.DEVNULL)
        best = min(best, 1e3 * (time.perf_counter() - start))
    return best


def measure(folder, rounds):
    folder, target = Path(folder), Path(folder, "target")
    models = {layers: bert(folder / f"bert{layers}", layers) for layers in SERIES["layers"]}
    whole = checkpoint(folder / "whole.safetensors", 1024)
    results = {
        "layers": [forward(models[layers], rounds) for layers in SERIES["layers"]],
        "length": [forward(models[4], rounds, length=length) for length in SERIES["length"]],
        "batch": [forward(models[4], rounds, batch=batch) for batch in SERIES["batch"]],
        "tensors": [], "shards": []}
    for tensors in SERIES["tensors"]:
        source = checkpoint(folder / "some.safetensors", tensors)
        results["tensors"].append(conversion(source, target, rounds))
    for shards in SERIES["shards"]:
        # A little more than its part, for the header.
        size = str(BYTES // shards + (BYTES // shards >> 6) + 4096)
        results["shards"].append(conversion(whole, target, rounds, "--max-shard-size", size))
        found = len(list(target.glob("*.safetensors")))
        if found != shards:
            raise SystemExit(f"bench: {found} shards instead of {shards}")
    return results


def slope(xs, ys):
    """Of the straight line of least squares through the last points of both logarithms."""
    points = [(math.log(x), math.log(y)) for x, y in zip(xs[-3:], ys[-3:])]
    mean_x, mean_y = (sum(values) / len(points) for values in zip(*points))
    above = sum((x - mean_x) * (y - mean_y) for x, y in points)
    return above / sum((x - mean_x) ** 2 for x, _ in points)


def table(results):
    for name, times in results.items():
        yield f"| {name} | " + " | ".join(map(str, SERIES[name])) + " | slope |"
        yield "|---|" + "---|" * (len(times) + 1)
        cells = " | ".join(f"{one:.1f}" for one in times)
        yield f"| ms | {cells} | {slope(SERIES[name], times):.2f} |"
        yield ""


def chart(name, times, left):
    """One panel: both axes logarithmic, a decade of time as high as a decade of the other is wide."""
    xs, (width, height, foot) = SERIES[name], (150, 190, 224)
    unit = width / math.log(SERIES["tensors"][-1] / SERIES["tensors"][0])
    low = math.log(min(times))

    def place(x, y):
        return left + 30 + unit * math.log(x / xs[0]), height - unit * (math.log(y) - low)

    points = [place(x, y) for x, y in zip(xs, times)]
    dots = "".join(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3"/>' for x, y in points)
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    yield (f'<g><polyline points="{line}" fill="none" stroke="#2a6f97" stroke-width="1.5"/>'
           f'<g fill="#2a6f97">{dots}</g>')
    # The first beneath its point, where no curve goes.
    for (x, y), n, time_of, away in (
            (points[0], xs[0], times[0], 15), (points[-1], xs[-1], times[-1], -9)):
        yield f'<text x="{x:.1f}" y="{y + away:.1f}" text-anchor="middle">{time_of:.3g} ms</text>'
        yield f'<text x="{x:.1f}" y="{foot}" text-anchor="middle" fill="#666">{n}</text>'
    yield (f'<text x="{left + 30}" y="24" font-weight="bold">{name}</text>'
           f'<text x="{left + 30}" y="40" fill="#666">slope {slope(xs, times):.2f}</text></g>')


def picture(results):
    width = 205 * len(results)
    yield (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} 234" font-family="sans-serif"'
           ' font-size="11"><rect width="100%" height="100%" fill="#fff"/>')
    for number, (name, times) in enumerate(results.items()):
        yield from chart(name, times, 205 * number)
    yield "</svg>"


def main():
    parser = argparse.ArgumentParser(
        prog="bench growth", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="default: %(default)s")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    where = machine()
    memory = "/dev/shm" if os.path.isdir("/dev/shm") else None
    with tempfile.TemporaryDirectory(dir=memory) as folder:
        results = measure(folder, options.rounds)
    described = (f"{where['processor']}, {where['cores']} cores, the least of {options.rounds} rounds; load"
                 f" of the machine at the start {where['load']:.1f}.")
    if options.json:
        print(json.dumps({"schema": "bench.growth/1", "machine": described, "steps": SERIES,
                          "milliseconds": results}))
        return
    lines = [described, "", *table(results)]
    print("\n".join(lines))
    if options.write:
        PICTURE.write_text("\n".join(picture(results)) + "\n")
        write_section(lines + ["![The tables as curves, both axes logarithmic](growth.svg)"], START, END)


if __name__ == "__main__":
    main()
