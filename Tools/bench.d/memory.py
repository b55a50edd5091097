"""How much memory the commands take at most, on checkpoints of 900 MB.

    Tools/bench memory                 conversion and inspection, then verification; about ten minutes
    Tools/bench memory --only TEXT     only checkpoints whose name contains the text
    Tools/bench memory --json          one JSON object instead of tables
    Tools/bench memory --write         also puts the tables into docs/performance.md

What the system says of each process when it has ended (`ru_maxrss`): all threads, and pages of files that
are mapped count. The checkpoints are made in a temporary folder, in /dev/shm where there is one, one
at a time; 4 GB must be free there. This process stays small, since a new process starts with the peak of
the one that started it; what makes checkpoints runs in processes of its own.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "shared"))
from bench_page import machine, write_section

BIN = Path(os.environ.get("BENCH_BIN", "."))
START, END = "<!-- Tools/bench memory --write -->", "<!-- end of memory -->"
LIMIT = 128 << 20
MB = 1_000_000
THREADS = ()


# Checkpoints

def random_bytes(file, count, generator):
    """Numbers as weights have them: normal, deviation 0.02."""
    while count:
        piece = min(count, 16 * MB)
        values = generator.standard_normal((piece + 3) // 4, dtype="float32") * 0.02
        file.write(values.tobytes()[:piece])
        count -= piece


def write_safetensors(path, tensors, metadata=None):
    """`tensors`: name, dtype of safetensors, shape, bytes."""
    import numpy
    header = {"__metadata__": metadata} if metadata else {}
    position = 0
    for name, dtype, shape, count in tensors:
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [position, position + count]}
        position += count
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        random_bytes(file, position, numpy.random.default_rng(1))


def gpt2_config(width, layers):
    return {"model_type": "gpt2", "architectures": ["GPT2LMHeadModel"], "n_embd": width,
            "n_layer": layers, "n_head": width // 64, "n_positions": 1024, "n_ctx": 1024,
            "vocab_size": 50257, "activation_function": "gelu_new", "layer_norm_epsilon": 1e-5}


def gpt2(width, layers):
    yield "transformer.wte.weight", [50257, width]
    yield "transformer.wpe.weight", [1024, width]
    for number in range(layers):
        block = f"transformer.h.{number}."
        for norm in ("ln_1", "ln_2"):
            yield block + norm + ".weight", [width]
            yield block + norm + ".bias", [width]
        for name, rows, columns in (("attn.c_attn", 1, 3), ("attn.c_proj", 1, 1), ("mlp.c_fc", 1, 4),
                                    ("mlp.c_proj", 4, 1)):
            yield block + name + ".weight", [rows * width, columns * width]
            yield block + name + ".bias", [columns * width]
    yield "transformer.ln_f.weight", [width]
    yield "transformer.ln_f.bias", [width]


def floats(named):
    for name, shape in named:
        count = 4
        for extent in shape:
            count *= extent
        yield name, "F32", shape, count


def make(kind, folder):
    """Makes a checkpoint: a folder with model.safetensors."""
    folder.mkdir()
    path = folder / "model.safetensors"
    if kind == "GPT-2":
        (folder / "config.json").write_text(json.dumps(gpt2_config(1024, 14)))
        write_safetensors(path, floats(gpt2(1024, 14)))
    elif kind == "one large tensor":
        write_safetensors(path, floats([("small", [250, 1000, 100]), ("large", [200_000, 1000])]))
    elif kind == "large metadata":
        write_safetensors(path, floats([("w", [1000, 1000])]), {"text": "x" * (99 * MB)})
    elif kind == "many tensors":
        names = [f"model.layers.{n // 500}.experts.{n % 500}.weight" for n in range(50_000)]
        write_safetensors(path, floats((name, [45, 100]) for name in names))
    else:
        make_model(kind, folder)


def make_model(kind, folder):
    """A model of a usual size, with random weights, by its framework's own code."""
    import transformers
    known = {"BERT-base": (transformers.BertConfig, transformers.BertForMaskedLM),
             "GPT-2 small": (transformers.GPT2Config, transformers.GPT2LMHeadModel),
             "T5-base": (transformers.T5Config, transformers.T5ForConditionalGeneration)}
    configuration, model = known[kind]
    sizes = {"d_model": 768, "d_ff": 3072, "num_layers": 12, "num_heads": 12} if "T5" in kind else {}
    model(configuration(**sizes)).save_pretrained(folder)


def make_deflated(source, target):
    """An npz with the same arrays, compressed."""
    import zipfile
    import numpy
    with numpy.load(source) as arrays, zipfile.ZipFile(
            target, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name in arrays.files:
            with archive.open(name + ".npy", "w", force_zip64=True) as file:
                numpy.lib.format.write_array(file, arrays[name])


def make_fortran(target):
    """One array of 800 MB in Fortran order, written piece by piece."""
    import numpy
    with open(target, "wb") as file:
        numpy.lib.format.write_array_header_1_0(
            file, {"descr": "<f4", "fortran_order": True, "shape": (200_000, 1000)})
        random_bytes(file, 800 * MB, numpy.random.default_rng(2))


def made(*arguments):
    subprocess.run([sys.executable, __file__, "--make", *map(str, arguments)], check=True)


# Measuring

def peak(arguments, codes=(0,)):
    """The peak memory of a command, in bytes."""
    child = subprocess.Popen([str(a) for a in arguments], stdout=subprocess.DEVNULL,
                             stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)
    errors = child.stderr.read().decode(errors="replace")
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode not in codes:
        raise SystemExit(f"bench: {arguments}: exit {child.returncode}: {errors[-500:]}")
    return usage.ru_maxrss * 1024


def convert(source, target, *options):
    return peak([BIN / "tfconvert", source, target, "--force", "--no-progress", *THREADS, *options])


def removed(path):
    shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink(missing_ok=True)


VERBS = ("ls", "stats", "hash", "check", "id")
TARGETS = {"safetensors": "out.safetensors", "shards": "out/", "npz": "out.npz", "TFZ": "out.tfz"}


def to_all(source, folder, options=(), without=()):
    """Conversion of a source into every container but some: into what, and bytes."""
    for name, target in TARGETS.items():
        if name in without:
            continue
        more = ("--max-shard-size", "200MB") if name == "shards" else ()
        yield name, convert(source, f"{folder}/{target}", *more, *options)
        removed(folder / target)
        (folder / f"{target}.config.json").unlink(missing_ok=True)


def has_config(source):
    beside = Path(f"{source}.config.json")
    return beside.exists() or (source / "config.json").exists() or (
        source.parent / "config.json").exists()


def inspected(source):
    for verb in VERBS:
        if verb == "id" and not has_config(source):
            continue  # of a model that is not known there is no id
        threads = () if verb == "ls" else THREADS
        yield verb, peak([BIN / "tfinspect", verb, source, *threads], codes=(0, 1))


def checkpoint(kind, folder):
    """All rows about one checkpoint: a source, and what each process takes."""
    source = folder / "source"
    made(kind, source)
    stored = source / "model.safetensors"
    if kind == "GPT-2":
        yield "safetensors, to nanoGPT", dict(to_all(source, folder, ("--dialect", "nanogpt", "--allow-mismatch")))
        for dtype in ("bf16", "f16"):
            yield (f"safetensors, to {dtype}",
                   dict(to_all(source, folder, ("--dtype", dtype, "--allow-lossy"))))
    # An npz of one member cannot carry much metadata, nor the index of a TFZ.
    without = ("npz", "TFZ") if kind == "large metadata" else ()
    yield "safetensors", dict(to_all(stored, folder, (), without)) | dict(inspected(stored))
    others = {"shards": (folder / "shards", "--max-shard-size", "200MB"),
              "TFZ": (folder / "model.tfz",), "npz": (folder / "model.npz",)}
    for name in without:
        del others[name]
    for name, (target, *options) in others.items():
        convert(source, target, *options)
        yield name, dict(to_all(target, folder, (), without)) | dict(inspected(target))
        if name == "npz" and kind != "many tensors":
            deflated = folder / "deflated.npz"
            made("deflated", target, deflated)
            if has_config(target):
                shutil.copy(source / "config.json", f"{deflated}.config.json")
            yield "npz, deflated", dict(to_all(deflated, folder)) | dict(inspected(deflated))
            removed(deflated)
        removed(target)
    if kind == "one large tensor":
        array = folder / "large.npy"
        row = {"npy": convert(stored, array, "--include", "large")}
        removed(source)
        yield "safetensors, one tensor", row
        yield "npy", dict(to_all(array, folder)) | dict(inspected(array))
        made("fortran", array)
        yield "npy, Fortran order", dict(to_all(array, folder)) | dict(inspected(array))


def verification(kind, folder):
    """What comparing takes, and the limit: 4 × the largest stage, activations and 64 MiB."""
    source, other = folder / "source", folder / "other"
    made(kind, source)
    yield "itself", peak([BIN / "tfverify", source, source], codes=(0,))
    convert(source, other / "", "--dtype", "bf16", "--allow-lossy")
    yield "cast to bf16", peak([BIN / "tfverify", source, other], codes=(0,))
    removed(other)
    convert(source, other / "")
    change(other / "model.safetensors")
    yield "one weight changed", peak([BIN / "tfverify", source, other], codes=(1,))


def change(path):
    """Another last number in the file."""
    with open(path, "r+b") as file:
        file.seek(-4, os.SEEK_END)
        file.write(b"\x00\x00\x80\x3f")


CHECKPOINTS = ("GPT-2", "one large tensor", "large metadata", "many tensors")
MODELS = ("BERT-base", "GPT-2 small", "T5-base")


def measured(kinds, rows, top):
    results = {}
    for kind in kinds:
        folder = Path(top, "now")
        folder.mkdir()
        results[kind] = {}
        for name, row in rows(kind, folder):
            results[kind][name] = row
            print(f"{kind}: {name}: {row}", file=sys.stderr, flush=True)
        shutil.rmtree(folder)
    return results


# Printing

def mib(count):
    return "" if count is None else f"{count / (1 << 20):.0f}"


def tables(conversion, models):
    columns = [*TARGETS, *VERBS]
    for kind, rows in conversion.items():
        yield f"**{TITLES[kind]}**: the peak in MiB, converted into, and inspected with"
        yield ""
        yield "| source | " + " | ".join(columns) + " |"
        yield "|---" * (len(columns) + 1) + "|"
        for name, row in rows.items():
            cells = [mib(row.get(column)) for column in columns]
            if "npy" in row:
                cells = [f"to npy {mib(row['npy'])}"] + cells[1:]
            yield f"| {name} | " + " | ".join(cells) + " |"
        yield ""
    if conversion:
        highest = max(v for rows in conversion.values() for row in rows.values() for v in row.values())
        yield f"The highest of all: {mib(highest)} MiB; allowed are {mib(LIMIT)} MiB."
    if models:
        names = list(next(iter(models.values())))
        yield ""
        yield "`tfverify A B`, in MiB:"
        yield ""
        yield "| model | " + " | ".join(names) + " |"
        yield "|---" * (len(names) + 1) + "|"
        for kind, row in models.items():
            yield f"| {kind} | " + " | ".join(mib(value) for value in row.values()) + " |"


TITLES = {"GPT-2": "GPT-2, 910 MB, 172 tensors", "one large tensor": "one tensor of 800 MB and one of 100 MB",
          "large metadata": "`__metadata__` of 99 MB", "many tensors": "50,000 tensors, 900 MB"}


def main():
    parser = argparse.ArgumentParser(
        prog="bench memory", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", metavar="TEXT")
    parser.add_argument("--threads", type=int, metavar="N", help="pass -T N; default: all cores")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--make", nargs="+", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.make:
        kind, *paths = options.make
        {"deflated": make_deflated, "fortran": make_fortran}.get(kind, lambda path: make(kind, path))(
            *map(Path, paths))
        return
    global THREADS
    if options.threads:
        THREADS = ("-T", str(options.threads))
    where = machine()
    place = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=place, prefix="tfkit-memory.") as top:
        conversion = measured([k for k in CHECKPOINTS if options.only in k], checkpoint, top)
        models = measured([k for k in MODELS if options.only in k], verification, top)
    if options.json:
        print(json.dumps({"schema": "bench.memory/1", "conversion": conversion, "verification": models}))
        return
    lines = [f"{where['processor']}, {where['cores']} cores, "
             f"{options.threads or where['cores']} threads.", "", *tables(conversion, models)]
    print("\n".join(lines))
    if options.write:
        write_section(lines, START, END)
    worst = [v for rows in conversion.values() for row in rows.values() for v in row.values()]
    if max(worst, default=0) > LIMIT:
        raise SystemExit("bench: a process took more than is allowed")


if __name__ == "__main__":
    main()
