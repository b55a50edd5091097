"""Makes Fixtures/inspect/a and b: two checkpoints of no known model, and what is different.

    Tools/oracle/differences.py Fixtures/inspect

What happened to each tensor stands in the table below; how far apart the elements are, numpy says.
"""

import json
import sys
from pathlib import Path

import numpy as np
import torch
from safetensors_bytes import safetensors_bytes

NAMES = {"<f4": "F32", "<f8": "F64", "<f2": "F16", "<i8": "I64", "<c8": "C64"}
random = np.random.default_rng(4)


def normal(*shape):
    return random.normal(size=shape).astype("f4")


def stored(name, values):
    if isinstance(values, torch.Tensor):
        data = values.contiguous().view(torch.uint8).numpy().tobytes()
        return name, "BF16", list(values.shape), data
    values = np.ascontiguousarray(values).reshape(values.shape)
    return name, NAMES[values.dtype.str], list(values.shape), values.tobytes()


def bf16(values):
    return torch.from_numpy(np.ascontiguousarray(values)).to(torch.bfloat16)


def cases():
    """Kind, name and values in A, name and values in B; nothing where only one has it."""
    x = normal(5, 4)
    yield "same", "same", x, "same", x
    x = normal(30, 7)
    yield "renamed", "old.name", x, "new.name", x
    x = normal(48, 20)
    yield "rearranged", "transposed", x, "transposed", x.T
    x = normal(64, 8)
    yield "rearranged", "rows", x, "rows", x[random.permutation(64)]
    x = normal(5, 64)
    heads = x.reshape(5, 8, 2, 4).transpose(0, 1, 3, 2).reshape(5, 64)
    yield "rearranged", "columns", x, "columns", heads
    x = normal(16, 16)
    yield "rearranged", "square", x, "square", x.T
    x = normal(2, 3, 4, 5)
    yield "rearranged", "convolution", x, "convolution", x.transpose(3, 2, 0, 1)
    x = normal(12, 14)
    yield "rearranged", "first.kernel", x, "second.weight", x.T
    x = normal(6, 8)
    yield "rearranged", "reshaped", x, "reshaped", x.reshape(48)
    x = normal(11, 6)
    yield "rearranged", "padded", x, "padded", np.vstack([x, np.zeros((3, 6), "f4")])
    x = normal(20, 20)
    yield "rearranged", "shuffled", x, "shuffled", random.permutation(x.flatten()).reshape(20, 20)
    x = normal(50, 3)
    yield "cast", "cast", x, "cast", bf16(x)
    x = normal(17, 3)
    yield "cast", "old.cast", x, "new.cast", bf16(x)
    x = normal(5, 5).astype("f8")
    yield "cast", "exact", x, "exact", x.astype("f4")
    x, y = normal(8, 8), normal(8, 8)
    yield "renamed", "key", y, "query", y
    yield "renamed", "query", x, "key", x
    x = normal(33, 2)
    yield "same", "embedding", x, "embedding", x
    yield "added", None, None, "head", x
    yield "removed", "gone", normal(3, 3), None, None
    yield "added", None, None, "new", normal(2, 2)
    x = normal(40, 10)
    y = x.copy()
    y[3, 4] += 0.01
    y[10:12] *= np.float32(1.001)
    yield "changed", "changed", x, "changed", y
    x = normal(50)
    y = x.copy()
    x[4], y[4] = 0.0, -0.0
    yield "changed", "zero sign", x, "zero sign", y
    x = normal(50)
    y = x.copy()
    x.view("u4")[3], y.view("u4")[3] = 0x7FC00000, 0x7FC01234
    yield "changed", "payload", x, "payload", y
    x = normal(9, 9)
    y = x.copy()
    y[0, 0], y[1, 1] = np.inf, y[1, 1] + 1
    yield "changed", "infinite", x, "infinite", y
    x = np.arange(100)
    y = x.copy()
    y[50] += 2**40
    yield "changed", "whole", x, "whole", y
    x = normal(7).astype("f2")
    yield "changed", "half", x, "half", np.nextafter(x, np.float16(9))
    x = normal(30).astype("f8")
    yield "changed", "scaled", x, "scaled", 2 * x
    x = normal(10) + 1j * normal(10)
    yield "changed", "complex", x.astype("c8"), "complex", (x + 0.5j).astype("c8")
    yield "changed", "other shape", normal(4, 3), "other shape", normal(3, 3)
    yield "changed", "other type", normal(30), "other type", normal(30).astype("f2")
    yield "changed", "nothing", np.zeros(3, "f4"), "nothing", np.ones(3, "f4")


def steps(x, y):
    """Numbers of the type from one to the other."""
    kind = {2: "i2", 4: "i4", 8: "i8"}[x.dtype.itemsize]

    def ordered(values):
        bits = values.view(kind).astype(object)
        least = -(2 ** (8 * x.dtype.itemsize - 1))
        return np.where(bits >= 0, bits, least - bits)

    return int(abs(ordered(y) - ordered(x)).max())


def distances(x, y):
    if x.dtype.kind == "c":
        x, y = x.view("f4"), y.view("f4")
    a, b = x.flatten().astype("f8"), y.flatten().astype("f8")
    both = np.isfinite(a) & np.isfinite(b)
    alike = (a == b) | (np.isnan(a) & np.isnan(b))
    different = x.flatten().view("u1").reshape(x.size, -1) if x.dtype == y.dtype else None
    if different is None:
        marks = ~alike
    else:
        marks = (different != y.flatten().view("u1").reshape(y.size, -1)).any(axis=1)
    size = np.abs(b - a)[both]
    # From a number to what is none, no distance is larger.
    lost = int((~both & ~alike).sum())
    facts = {
        "elements": a.size, "differing": int(marks.sum()), "first": int(np.flatnonzero(marks)[0]),
        "incomparable": lost,
    }  # fmt: skip
    if lost:
        infinite = ("max", "mean", "relative", "relative_norm")
        place = int(np.flatnonzero(~both & ~alike)[0])
        return facts | dict.fromkeys(infinite, "Infinity") | {"max_at": place, "cosine": None}
    facts |= {"max": float(size.max()), "mean": float(size.sum() / a.size)}
    if x.dtype == y.dtype and x.dtype.kind == "f" and (marks & ~alike).any():
        facts["ulp"] = steps(x.flatten()[both], y.flatten()[both])
    a, b = a[both], b[both]
    norms = np.linalg.norm(a) * np.linalg.norm(b)
    facts["relative"] = float(size.max() / np.abs(a).max()) if np.abs(a).max() else "Infinity"
    if not norms:
        return facts | {"relative_norm": "Infinity", "cosine": None}
    facts["relative_norm"] = float(np.linalg.norm(b - a) / np.linalg.norm(a))
    return facts | {"cosine": float(a @ b / norms)}


def main(folder):
    a, b, facts = [], [], []
    for kind, name, x, other, y in cases():
        if x is not None:
            a.append(stored(name, x))
        if y is not None:
            b.append(stored(other, y))
        facts.append({"kind": kind, "a": name, "b": other})
        if kind == "changed" and x.shape == y.shape:
            facts[-1] |= distances(x, y)
    (folder / "a.safetensors").write_bytes(safetensors_bytes(a))
    (folder / "b.safetensors").write_bytes(safetensors_bytes(b[::-1]))
    (folder / "differences.json").write_text(json.dumps(facts, indent=1) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
