"""Writes Fixtures/containers/ctranslate2, with CTranslate2's own writer: python Tools/oracle/ctranslate2_files.py"""

import struct

import ctranslate2
import ml_dtypes
import numpy as np
from ctranslate2.specs import common_spec, transformer_spec, whisper_spec
from ctranslate2.specs.model_spec import OPTIONAL, LayerSpec, visit_spec
from ecosystem import Random, expect, folder

ROOT = folder("ctranslate2")
GOOD, BAD = ROOT / "good", ROOT / "bad"
RANDOM = Random(20261130)
WIDTH, WORDS = 8, 11


def fill(spec: LayerSpec) -> None:
    """Gives every weight that has none a random one; matrices of the embeddings have as many rows as words."""
    def set_one(owner, name, value):
        key = name.split("/")[-1]
        if value is not None or key.endswith("_scale"):
            return
        shape = {"weight": (2 * WIDTH, WIDTH), "encodings": (5, WIDTH)}.get(key, (WIDTH,))
        if isinstance(owner, common_spec.Conv1DSpec) and key == "weight":
            shape = (WIDTH, 3, 3)
        if isinstance(owner, common_spec.EmbeddingsSpec):
            shape = (WORDS, WIDTH)
        setattr(owner, key, RANDOM.floats(*shape))
    visit_spec(spec, set_one)


def translator() -> LayerSpec:
    spec = transformer_spec.TransformerSpec.from_config((1, 1), 2)
    fill(spec)
    # The tied matrix of the head, which is written as another name.
    spec.decoder.projection.weight = spec.decoder.embeddings.weight
    spec.decoder.projection.bias = RANDOM.floats(WORDS)
    spec.register_source_vocabulary([str(word) for word in range(WORDS)])
    spec.register_target_vocabulary([str(word) for word in range(WORDS)])
    return spec


def listener() -> LayerSpec:
    spec = whisper_spec.WhisperSpec(1, 2, 1, 2)
    fill(spec)
    spec.decoder.projection.weight = spec.decoder.embeddings.weight
    spec.register_vocabulary([str(word) for word in range(WORDS)])
    return spec


def write(name: str, spec: LayerSpec, quantization: str | None = None) -> None:
    """A file, and what the specification has in it."""
    spec.validate()
    spec.optimize(quantization)
    path = GOOD / name
    spec._serialize(path)
    variables = {key: value for key, value in spec.variables().items() if not (isinstance(value, str) and value == OPTIONAL)}
    arrays = {key: value for key, value in variables.items() if not isinstance(value, str)}
    def array(variable):
        if variable.dtype == "bfloat16":
            return np.frombuffer(variable.to_bytes(), ml_dtypes.bfloat16).reshape(variable.shape)
        return variable.numpy()
    expected = {key: array(value) for key, value in arrays.items()}
    for alias, meant in variables.items():
        if isinstance(meant, str):
            expected[alias] = expected[meant]
            if f"{meant}_scale" in expected:
                expected[f"{alias}_scale"] = expected[f"{meant}_scale"]
    expect(path, expected)


write("translator.bin", translator())
write("translator_int8.bin", translator(), "int8")
write("translator_int16.bin", translator(), "int16")
write("translator_bfloat16.bin", translator(), "bfloat16")
write("listener_float16.bin", listener(), "float16")
write("listener_int8_float16.bin", listener(), "int8_float16")


def text(name: str) -> bytes:
    return struct.pack("<H", len(name) + 1) + name.encode() + b"\0"


def variable(name: str, shape: list[int], kind: int, data: bytes, count: int | None = None) -> bytes:
    head = text(name) + bytes([len(shape)]) + b"".join(struct.pack("<I", extent) for extent in shape)
    return head + struct.pack("<BI", kind, len(data) if count is None else count) + data


def file(parts: list[bytes], aliases: list[tuple[str, str]] = (), version: int = 6, **counts: int) -> bytes:
    names = b"".join(text(a) + text(b) for a, b in aliases)
    return (
        struct.pack("<I", version) + text("TransformerSpec") + struct.pack("<II", 7, counts.get("variables", len(parts)))
        + b"".join(parts) + struct.pack("<I", counts.get("other_names", len(aliases))) + names
    )


ONE = variable("a/weight", [2], 0, bytes(8))
(GOOD / "version_4.bin").write_bytes(file([ONE], [("b/weight", "a/weight")], version=4))
expect(GOOD / "version_4.bin", {name: np.zeros(2, np.float32) for name in ["a/weight", "b/weight"]})

for name, data in {
    "version_3": file([ONE], version=3),
    "version_7": file([ONE], version=7),
    "cut_off": file([ONE])[:-7],
    "no_variables": file([], variables=3)[:-4],
    "many_variables": file([ONE], variables=0xFFFF_FFFF),
    "many_aliases": file([ONE], other_names=0xFFFF_FFFF),
    "same_name_twice": file([ONE, ONE]),
    "alias_of_nothing": file([ONE], [("b", "c")]),
    "alias_of_taken_name": file([ONE, variable("b", [], 1, b"\1")], [("b", "a/weight")]),
    "type_unknown": file([variable("a", [1], 6, bytes(8))]),
    "size_of_other_shape": file([variable("a", [3], 0, bytes(8))]),
    "shape_wraps": file([variable("a", [0xFFFF_FFFF] * 3, 0, bytes(8))]),
    "rank_255": file([variable("a", [1] * 255, 1, b"\1", count=0)]),
    "data_past_end": file([variable("a", [0x3FFF_FFFF], 0, b"", count=0xFFFF_FFFC)]),
    "name_without_end": file([struct.pack("<H", 3) + b"abc" + variable("", [], 1, b"\1")[3:]]),
    "name_empty_text": file([struct.pack("<H", 0) + variable("", [], 1, b"\1")[3:]]),
    "name_with_zero": file([variable("a\0b", [], 1, b"\1")]),
    "name_not_utf8": file([struct.pack("<H", 3) + b"\xff\xfe\0" + variable("", [], 1, b"\1")[3:]]),
    "bytes_behind": file([ONE]) + b"x",
}.items():
    (BAD / f"{name}.ct2").write_bytes(data)
print(ctranslate2.__version__)
