"""What the scripts of the ecosystems' containers share: random tensors, and the expected values.

A file `Fixtures/containers/FORMAT/good/NAME.EXT` is made by the ecosystem's own code, and
`expected/NAME.safetensors` beside it says what is in it, written by the safetensors library. Its
`__metadata__` names, under `asides`, what is in the file and no tensor. `bad/` are files that must be
refused, each named after its fault.
"""

import json
import shutil
from pathlib import Path

import ml_dtypes
import numpy as np

CONTAINERS = Path(__file__).resolve().parents[2] / "Fixtures" / "containers"

DTYPES = {
    "BOOL": np.dtype(bool),
    "U8": np.dtype("u1"),
    "I8": np.dtype("i1"),
    "F8_E5M2": np.dtype(ml_dtypes.float8_e5m2),
    "F8_E4M3": np.dtype(ml_dtypes.float8_e4m3fn),
    "F8_E8M0": np.dtype(ml_dtypes.float8_e8m0fnu),
    "F8_E4M3FNUZ": np.dtype(ml_dtypes.float8_e4m3fnuz),
    "F8_E5M2FNUZ": np.dtype(ml_dtypes.float8_e5m2fnuz),
    "U16": np.dtype("<u2"),
    "I16": np.dtype("<i2"),
    "F16": np.dtype("<f2"),
    "BF16": np.dtype(ml_dtypes.bfloat16),
    "U32": np.dtype("<u4"),
    "I32": np.dtype("<i4"),
    "F32": np.dtype("<f4"),
    "C64": np.dtype("<c8"),
    "F64": np.dtype("<f8"),
    "I64": np.dtype("<i8"),
    "U64": np.dtype("<u8"),
}
NAMES = {dtype: name for name, dtype in DTYPES.items()}


class Random:
    """Arrays of random bits; the same at every run."""

    def __init__(self, seed: int):
        self.generator = np.random.default_rng(seed)

    def array(self, dtype, shape: tuple[int, ...]) -> np.ndarray:
        dtype = np.dtype(dtype)
        count = int(np.prod(shape)) * dtype.itemsize
        raw = self.generator.integers(0, 2 if dtype == bool else 256, count, dtype=np.uint8)
        return np.frombuffer(raw.tobytes(), dtype).reshape(shape)

    def floats(self, *shape: int) -> np.ndarray:
        return self.generator.standard_normal(shape).astype(np.float32)


def folder(form: str) -> Path:
    """An empty folder for a format."""
    path = CONTAINERS / form
    shutil.rmtree(path, ignore_errors=True)
    for name in ["good", "bad", "expected"]:
        (path / name).mkdir(parents=True)
    return path


def expect(path: Path, arrays: dict[str, np.ndarray], asides: list[str] | None = None) -> None:
    """Says what is in a file, in the format of safetensors; C128, which that has not, as pairs."""
    header: dict = {"__metadata__": {"asides": "\n".join(asides or [])}}
    data = b""
    for name, array in sorted(arrays.items()):
        array = np.asarray(array)
        array = array.astype(array.dtype.newbyteorder("<")) if array.dtype.byteorder == ">" else array
        raw = np.ascontiguousarray(array).tobytes()
        dtype, shape = NAMES.get(array.dtype, "?"), list(array.shape)
        if array.dtype == np.complex128:
            dtype, shape = "F64", shape + [2]
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header, ensure_ascii=False).encode()
    target = path.parent.parent / "expected" / (path.name.split(".")[0] + ".safetensors")
    target.write_bytes(len(text).to_bytes(8, "little") + text + data)
    assert target.stat().st_size < 60_000 and (not path.is_file() or path.stat().st_size < 60_000)
