"""Writes Fixtures/containers/gguf/quantised: python Tools/oracle/gguf_quantised.py LLAMA_CPP LIBRARY

LLAMA_CPP is a copy of llama.cpp, as for gguf_names.py, and LIBRARY a shared library with its functions, such as
xllamacpp.abi3.so of the package xllamacpp. A tiny random Llama, whose rows are whole blocks of every type, is converted by
llama.cpp's converter and quantised by ggml's own `ggml_quantize_chunk`, which is what llama.cpp's tool calls: all matrices that can be to one
type, TYPE.gguf; and in mixed.gguf some to another, as that tool does it.

`source` is the Hugging Face model. Needs gcc.
"""

import ctypes
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
from exact import FIXTURES
from fixture import randomise
from gguf_names import conversion, gguf
from transformers import LlamaConfig, LlamaForCausalLM

FOLDER = FIXTURES / "containers" / "gguf" / "quantised"
TYPES = [
    "Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K", "MXFP4", "NVFP4", "IQ4_NL", "IQ4_XS",
    "TQ2_0", "IQ3_S",
]  # fmt: skip
SHIM = r"""
#include "ggml.h"

size_t quantise_rows(int type, const float *from, void *to, long rows, long width) {
  return ggml_quantize_chunk(type, from, to, 0, rows, width, 0);
}
"""


def library(source, shared):
    folder = Path(tempfile.mkdtemp())
    (folder / "shim.c").write_text(SHIM)
    includes = [f"-I{source}/include", f"-I{source}/ggml/include"]
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", folder / "shim.so", folder / "shim.c", *includes], check=True)
    ctypes.CDLL(shared, ctypes.RTLD_GLOBAL)
    result = ctypes.CDLL(str(folder / "shim.so"))
    result.quantise_rows.restype = ctypes.c_size_t
    result.quantise_rows.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_long, ctypes.c_long]
    return result


def model():
    config = LlamaConfig(
        vocab_size=16, hidden_size=256, intermediate_size=8, num_hidden_layers=1, num_attention_heads=1,
        num_key_value_heads=1, head_dim=8, tie_word_embeddings=True, max_position_embeddings=64, dtype="bfloat16",
        bos_token_id=1, eos_token_id=2, pad_token_id=None,
    )  # fmt: skip
    result = LlamaForCausalLM(config)
    randomise(result, 11, lambda name: (1.0, 0.2) if "norm" in name else (0.0, 0.05))
    result.to(torch.bfloat16).save_pretrained(FOLDER / "source")


def convert(file):
    kind = conversion.get_model_class("LlamaForCausalLM")
    with torch.inference_mode():
        converter = kind(FOLDER / "source", gguf.LlamaFileType.MOSTLY_BF16, file, eager=True, model_name="tiny")
        converter.set_vocab = lambda: None
        converter.write()


def numbers(tensor):
    """What a tensor of F32 or BF16 holds."""
    if tensor.tensor_type == gguf.GGMLQuantizationType.F32:
        return np.array(tensor.data, np.float32)
    return gguf.dequantize(np.array(tensor.data), tensor.tensor_type).astype(np.float32)


def quantise(source, usual, functions, name=None, others={}):
    reader = gguf.GGUFReader(source)
    writer = gguf.GGUFWriter(FOLDER / f"{name or usual}.gguf", "llama")
    for key, field in reader.fields.items():
        if key.startswith("GGUF.") or key == "general.architecture":
            continue
        inner = field.types[1] if len(field.types) > 1 else None
        writer.add_key_value(key, field.contents(), field.types[0], inner)
    for tensor in reader.tensors:
        array = np.ascontiguousarray(numbers(tensor))
        kind = next((other for part, other in others.items() if part in tensor.name), usual)
        kind = gguf.GGMLQuantizationType[kind]
        block, width = gguf.GGML_QUANT_SIZES[kind]
        if array.ndim < 2 or array.shape[-1] % block:
            writer.add_tensor(tensor.name, array.astype(np.float16) if array.ndim > 1 else array)
            continue
        rows, columns = array.shape
        data = np.zeros((rows, columns // block * width), np.uint8)
        size = functions.quantise_rows(int(kind), array.ctypes.data, data.ctypes.data, rows, columns)
        assert size == data.nbytes
        writer.add_tensor(tensor.name, data, raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def main(source, shared):
    functions = library(source, shared)
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    model()
    with tempfile.TemporaryDirectory() as temporary:
        whole = Path(temporary) / "whole.gguf"
        convert(whole)
        for name in TYPES:
            quantise(whole, name, functions)
        quantise(whole, "Q4_K", functions, "mixed", {"attn_v": "Q6_K", "token_embd": "Q6_K"})
    for path in sorted(FOLDER.rglob("*")):
        print(path.name, path.stat().st_size)


if __name__ == "__main__":
    main(*sys.argv[1:])
