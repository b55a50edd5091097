"""Writes Fixtures/whisper/ggml and quantised_ggml: python Tools/oracle/whisper_ggml.py SCRIPT, then converted.py on them.

SCRIPT is whisper.cpp's models/convert-pt-to-ggml.py (the revision that README.md says), which is run as it is on a
random model of openai-whisper's, with filters (librosa's, as the published ones) and words of its size in place of the
published ones. What whisper.cpp's
quantize does to such a file is done here, by gguf-py: matrices become blocks, and all else stays.
"""

import base64
import dataclasses
import shutil
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

import librosa
import numpy as np
import torch
from gguf.quants import dequantize, quantize
from gguf.constants import GGMLQuantizationType

from converted import write_huggingface, write_original
from exact import FIXTURES
from whisper_openai import DIMS, huggingface, inputs_of, made, original


def converted(script, dims, weights):
    """The file that the script makes."""
    with tempfile.TemporaryDirectory() as scratch:
        scratch = Path(scratch)
        assets = scratch / "whisper" / "assets"
        assets.mkdir(parents=True)
        filters = librosa.filters.mel(sr=16000, n_fft=400, n_mels=dims.n_mels)
        np.savez(assets / "mel_filters.npz", **{f"mel_{dims.n_mels}": filters})
        words = [bytes([65 + number]) for number in range(dims.n_vocab - 5)]
        lines = [b"%s %d" % (base64.b64encode(word), rank) for rank, word in enumerate(words)]
        (assets / "gpt2.tiktoken").write_bytes(b"\n".join(lines) + b"\n")
        halves = {name: tensor.half() for name, tensor in weights.items()}
        torch.save(
            {"dims": dataclasses.asdict(dims), "model_state_dict": halves}, scratch / "model.pt"
        )
        subprocess.run(
            [sys.executable, script, scratch / "model.pt", scratch, scratch],
            check=True, stdout=subprocess.DEVNULL,
        )
        return (scratch / "ggml-model.bin").read_bytes()


def quantised(data, dims, kind):
    """The same file with its matrices in blocks, and their numbers."""
    position = 4 + 11 * 4
    bands, frequencies = struct.unpack_from("<ii", data, position)
    position += 8 + 4 * bands * frequencies
    (count,) = struct.unpack_from("<i", data, position)
    position += 4
    for _ in range(count):
        position += 4 + struct.unpack_from("<i", data, position)[0]
    head = bytearray(data[:position])
    struct.pack_into("<i", head, 4 + 10 * 4, 2000 + 7)  # version 2 of the blocks, mostly Q8_0
    out, numbers = [bytes(head)], {}
    while position < len(data):
        rank, length, number = struct.unpack_from("<iii", data, position)
        position += 12
        extents = struct.unpack_from(f"<{rank}i", data, position)
        position += 4 * rank
        name = data[position : position + length].decode()
        position += length
        dtype = np.float32 if number == 0 else np.float16
        size = int(np.prod(extents)) * dtype().itemsize
        array = np.frombuffer(data, dtype, int(np.prod(extents)), position).reshape(extents[::-1])
        position += size
        body = array.tobytes()
        if rank == 2 and number == 1:
            blocks = quantize(array.astype(np.float32), kind)
            array = dequantize(blocks, kind).reshape(array.shape)
            number, body = int(kind), blocks.tobytes()
        numbers[name] = torch.from_numpy(array.astype(np.float32).squeeze().copy())
        out.append(struct.pack("<iii", rank, length, number))
        out.append(struct.pack(f"<{rank}i", *extents) + name.encode() + body)
    return b"".join(out), numbers


def write(name, dims, data, weights):
    folder = FIXTURES / "whisper" / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / "model.ggml").write_bytes(data)
    inputs = inputs_of(dims, np.random.default_rng(2), 4)
    write_original(folder, inputs, {"logits": original(dims, weights, inputs)})
    write_huggingface(folder, huggingface(dims, weights))
    (folder / "config.json").unlink()  # the file's own sizes say it


def main(script):
    weights = made(DIMS, 5)
    data = converted(script, DIMS, weights)
    # What became of numbers that were halved.
    write("ggml", DIMS, data, {name: tensor.half().float() for name, tensor in weights.items()})
    dims = dataclasses.replace(
        DIMS, n_audio_state=32, n_text_state=32, n_audio_head=2, n_vocab=9, n_text_ctx=6, n_mels=2
    )
    data = converted(script, dims, made(dims, 6))
    data, numbers = quantised(data, dims, GGMLQuantizationType.Q8_0)
    write("quantised_ggml", dims, data, numbers)


if __name__ == "__main__":
    main(sys.argv[1])
