#!/usr/bin/env python3
"""The commands on fixtures with one thing wrong: a tensor's shape, or an integer of the config.

Whatever a file says, a command ends with exit code 0 to 4. Usage: commands.py [COUNT [SEED]]: of everything
that can be wrong COUNT commands are run, chosen by the seed; without COUNT all.
"""

import concurrent.futures
import json
import os
import random
import resource
import shutil
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BIN = ROOT / ".build/release"
CONFIGS = ("config.json", "params.json", "bert_config.json", "hparams.json")
DIALECTS = {
    "bert": ["huggingface", "google-bert", "gguf"],
    "gpt2": ["huggingface", "openai-gpt2", "nanogpt", "gguf"],
    "llama": ["huggingface", "meta", "gguf"],
    "t5": ["huggingface", "t5x", "t5x-scanned", "mesh-tf", "gguf"],
}
EXTENTS = [0, 1, -1, 2, 2**31 - 1, 2**31, 2**61, 2**63 - 1, -(2**63)]


def verbs(family, changed, original, golden):
    """What needs the model: a command line each."""
    yield ["tfinspect", "tree", changed]
    yield ["tfinspect", "info", changed]
    yield ["tfinspect", "id", changed]
    yield ["tfinspect", "check", changed]
    yield ["tfinspect", "diff", original, changed]
    yield ["tfinspect", "report", changed, "-o", "/dev/null", "--force"]
    yield ["tfverify", changed, original]
    yield ["tfverify", original, changed]
    yield ["tfverify", "bench", changed, "--length", "8", "--repeat", "1"]
    for name in DIALECTS[family]:
        yield ["tfconvert", changed, "x.npz", "--dialect", name, "--allow-mismatch", "--dry-run"]
    if golden:
        yield ["tfverify", "golden", changed, golden]
        yield ["tfverify", "run", changed, "--inputs", golden, "-o", "/dev/null", "--force"]


def numbers(value, place=()):
    """The integers in a JSON value, and where they are."""
    if isinstance(value, bool):
        return
    if isinstance(value, int):
        yield place, value
    for key, part in value.items() if isinstance(value, dict) else ():
        yield from numbers(part, (*place, key))
    for index, part in enumerate(value) if isinstance(value, list) else ():
        yield from numbers(part, (*place, index))


def setting(value, place, number):
    """The same JSON value with another number in one place."""
    if not place:
        return number
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[place[0]] = setting(value[place[0]], place[1:], number)
    return copy


def shapes(shape):
    """Shapes that differ in one thing: an extent, their order, the rank."""
    found = [[*shape, 1], [1, *shape], shape[1:], shape[:-1], shape[::-1]]
    for axis, extent in enumerate(shape):
        for other in (extent - 1, extent + 1, 0):
            if other >= 0:
                found.append([*shape[:axis], other, *shape[axis + 1 :]])
    return [other for other in found if other != shape]


def with_shape(path, name, shape):
    """A safetensors file whose tensor `name` has another shape, and holds zeros."""
    data = path.read_bytes()
    length = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8 : 8 + length])
    body, tensors = b"", {}
    for key, entry in header.items():
        if key == "__metadata__":
            tensors[key] = entry
            continue
        start, end = entry["data_offsets"]
        chunk = data[8 + length + start : 8 + length + end]
        if key == name:
            count = 1
            for extent in entry["shape"]:
                count *= extent
            size = len(chunk) // max(count, 1) or 4
            for extent in shape:
                size *= extent
            chunk, entry = bytes(size), {**entry, "shape": shape}
        tensors[key] = {**entry, "data_offsets": [len(body), len(body) + len(chunk)]}
        body += chunk
    text = json.dumps(tensors).encode()
    return struct.pack("<Q", len(text)) + text + body


def changes(fixture):
    """What can be wrong with a fixture: a name, and what makes it in a folder that is a copy."""
    for config in CONFIGS:
        path = fixture / config
        if not path.exists():
            continue
        value = json.loads(path.read_text())
        for place, number in numbers(value):
            for other in {*EXTENTS, number - 1, number + 1, 2 * number} - {number}:
                text = json.dumps(setting(value, place, other))
                yield f"{config} {'.'.join(map(str, place))} = {other}", config, text.encode()
    weights = fixture / "model.safetensors"
    if weights.exists():
        data = weights.read_bytes()
        header = json.loads(data[8 : 8 + struct.unpack("<Q", data[:8])[0]])
        for name, entry in header.items():
            if name != "__metadata__":
                for shape in shapes(entry["shape"]):
                    yield f"{name} {shape}", weights.name, (weights, name, shape)


def fixtures():
    for family in DIALECTS:
        for folder in sorted((ROOT / "Fixtures" / family).iterdir()):
            if any((folder / config).exists() for config in CONFIGS):
                yield family, folder


def bounded():
    resource.setrlimit(resource.RLIMIT_CPU, (120, 120))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def run(case):
    """The complaint about a command, or None."""
    family, fixture, what, file, content, verb = case
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch, "changed")
        shutil.copytree(fixture, folder)
        (folder / file).write_bytes(
            content if isinstance(content, bytes) else with_shape(*content)
        )
        golden = fixture / "golden.npz"
        lines = list(verbs(family, folder, fixture, golden if golden.exists() else None))
        line = [str(part) for part in lines[verb % len(lines)]]
        environment = {**os.environ, "PATH": f"{BIN}:/usr/bin:/bin", "SWIFT_BACKTRACE": "enable=no"}
        done = subprocess.run(
            line, cwd=scratch, env=environment, capture_output=True, preexec_fn=bounded
        )
        if 0 <= done.returncode <= 4:
            return None
        return f"exit {done.returncode}: {fixture.relative_to(ROOT)}, {what}: {' '.join(line[:2])}"


def main():
    count = int(sys.argv[1]) if len(sys.argv) > 1 else None
    dice = random.Random(int(sys.argv[2]) if len(sys.argv) > 2 else 0)
    cases = []
    for family, fixture in fixtures():
        for what, file, content in changes(fixture):
            for verb in range(9 + len(DIALECTS[family]) + 2):
                cases.append((family, fixture, what, file, content, verb))
    total = len(cases)
    if count is not None and count < total:
        cases = dice.sample(cases, count)
    faults = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for complaint in pool.map(run, cases):
            if complaint:
                faults += 1
                print(complaint, flush=True)
    print(f"{len(cases)} of {total} commands, {faults} ended with another exit code than 0 to 4")
    sys.exit(1 if faults else 0)


main()
