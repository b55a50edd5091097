"""Makes Fixtures/inspect/values: tensors of every type with awkward values, and what is true of them.

    Tools/oracle/inspection.py Fixtures/inspect

Means are exact rational sums, rounded once; deviations and norms have sixty digits before they are
rounded. numpy and torch only say which number a code stands for.
"""

import hashlib
import json
import sys
from decimal import Decimal, getcontext
from fractions import Fraction
from pathlib import Path

import numpy as np
import torch
from safetensors_bytes import safetensors_bytes

getcontext().prec = 60
QUANTILES = [0, 0.05, 0.5, 0.9, 1]
NUMPY = {
    "F16": "<f2", "F32": "<f4", "F64": "<f8", "I8": "i1", "U8": "u1", "I16": "<i2", "U16": "<u2",
    "I32": "<i4", "U32": "<u4", "I64": "<i8", "U64": "<u8", "BOOL": "?", "C64": "<c8",
}  # fmt: skip
TORCH = {
    "BF16": torch.bfloat16, "F8_E5M2": torch.float8_e5m2, "F8_E4M3": torch.float8_e4m3fn,
    "F8_E4M3FNUZ": torch.float8_e4m3fnuz, "F8_E5M2FNUZ": torch.float8_e5m2fnuz,
    "F8_E8M0": torch.float8_e8m0fnu,
}  # fmt: skip
# The smallest normal number of each type, by its specification.
NORMAL = {
    "F64": 2.0**-1022, "F32": 2.0**-126, "BF16": 2.0**-126, "F16": 2.0**-14, "F8_E5M2": 2.0**-14,
    "F8_E5M2FNUZ": 2.0**-15, "F8_E4M3": 2.0**-6, "F8_E4M3FNUZ": 2.0**-7, "F8_E8M0": 0,
}  # fmt: skip


def tensors():
    """Name, dtype, shape and bytes of each."""
    random = np.random.default_rng(8)

    def array(name, dtype, values):
        return name, dtype, list(values.shape), values.astype(NUMPY[dtype]).tobytes()

    def codes(dtype, values):
        return f"codes.{dtype}", dtype, [len(values)], values.tobytes()

    normal = random.normal(size=(57, 41))
    special = normal.copy()
    special.flat[[5, 100, 2000]] = [np.nan, np.inf, -np.inf]
    special.flat[[7, 8, 9, 1300]] = [0, -0.0, 1e-40, 1e-45]
    yield array("normal", "F32", normal)
    yield array("special", "F32", special)
    yield array("far from zero", "F32", 1e6 + 0.1 * random.normal(size=3001))
    yield array("gain", "F32", 1 + 1e-3 * random.normal(size=1500))
    yield array("cancelling", "F32", np.tile([3e38, 1, -3e38], 700))
    yield array("cancelling.double", "F64", np.tile([1e16, 1, -1e16], 700))
    yield array("huge.double", "F64", np.tile([1e308, -1e308, 1.5e308, 3], 5))
    yield array("tiny.double", "F64", np.tile([1e-310, 5e-324, 1e-300], 100))
    yield array("double", "F64", random.normal(size=1500))
    yield array("half", "F16", random.normal(size=2501))
    yield codes("F16", np.arange(0, 65536, 7, dtype="<u2"))
    yield codes("BF16", np.arange(0, 65536, 7, dtype="<u2"))
    for dtype in TORCH:
        if dtype != "BF16":
            yield codes(dtype, np.arange(256, dtype="u1"))
    for dtype in ["I8", "U8", "I16", "U16", "I32", "U32", "I64", "U64"]:
        limits = np.iinfo(NUMPY[dtype])
        values = random.integers(limits.min, limits.max, (23, 9), dtype=NUMPY[dtype], endpoint=True)
        yield array(f"whole.{dtype}", dtype, values)
    yield array("whole.constant", "I64", np.full(1200, 2**62 + 3))
    yield array("whole.ids", "I64", np.arange(512).reshape(1, 512))
    yield array("truth", "BOOL", random.integers(0, 2, (9, 11)))
    yield array("complex", "C64", random.normal(size=1100) + 1j * random.normal(size=1100))
    yield array("scalar", "F32", np.array(2.5))
    yield array("empty", "F32", np.zeros((0, 4)))
    yield array("nothing finite", "F32", np.full(10, np.nan))
    yield array("zeros", "F32", np.zeros((40, 30)))


def numbers(dtype, data):
    """The elements as numpy doubles, integers, truth values or complex numbers."""
    if dtype in NUMPY:
        values = np.frombuffer(data, NUMPY[dtype])
        return values.astype("f8") if values.dtype.kind == "f" else values
    codes = torch.frombuffer(bytearray(data), dtype=torch.uint8).view(TORCH[dtype])
    return codes.to(torch.float32).numpy().astype("f8")


def root(value):
    """The root of a fraction, rounded once; a text if it is too large for a double."""
    result = float((Decimal(value.numerator) / Decimal(value.denominator)).sqrt())
    return result if result != float("inf") else "Infinity"


def moments(values):
    """Mean, deviation and norm of finite numbers."""
    values = [Fraction(value) for value in values]
    mean = sum(values) / len(values)
    variance = sum((value - mean) ** 2 for value in values) / len(values)
    return mean, variance, sum(value**2 for value in values)


def statistics(dtype, values):
    finite = values[np.isfinite(values)]
    magnitudes = np.abs(values)
    facts = {
        "zeros": int((values == 0).sum()),
        "subnormals": int(((magnitudes > 0) & (magnitudes < NORMAL.get(dtype, 0))).sum()),
        "nan": int(np.isnan(values).sum()),
        "inf": int(np.isinf(values).sum()),
    }
    empty = {"min": None, "max": None, "mean": None, "std": None, "norm": 0.0}
    if finite.size == 0:
        return empty | facts
    if values.dtype.kind == "c":
        x, y = moments(finite.real.tolist()), moments(finite.imag.tolist())
        mean = [float(x[0]), float(y[0])]
        return empty | facts | {"mean": mean, "std": root(x[1] + y[1]), "norm": root(x[2] + y[2])}
    mean, variance, squares = moments(finite.tolist())
    ordered = sorted(finite.tolist())
    places = np.flatnonzero(np.isfinite(values)).tolist()
    places.sort(key=lambda i: (-abs(values[i].item()), i))
    return facts | {
        "min": ordered[0], "max": ordered[-1], "mean": float(mean), "std": root(variance),
        "norm": root(squares),
        "quantiles": [ordered[int(part * (len(ordered) - 1))] for part in QUANTILES],
        "top": places[:3],
    }  # fmt: skip


def main(folder):
    folder.mkdir(parents=True, exist_ok=True)
    stored = list(tensors())
    (folder / "values.safetensors").write_bytes(safetensors_bytes(stored))
    facts = []
    for name, dtype, shape, data in stored:
        values = numbers(dtype, data)
        if values.dtype.kind == "b":
            values = values.astype("u1")
        facts.append(
            {"name": name, "dtype": dtype, "shape": shape, "count": values.size}
            | {"sha256": hashlib.sha256(data).hexdigest()}
            | statistics(dtype, values)
        )
    text = json.dumps({"quantiles": QUANTILES, "tensors": facts}, indent=1)
    (folder / "values.json").write_text(text + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
