"""Writes Fixtures/codecs/fp8: python Tools/oracle/fp8.py

A BERT whose matrices are stored as DeepSeek-V3 and transformers' FineGrainedFP8 store them: `X.weight` in
float8_e4m3fn, and `X.weight_scale_inv` with one float32 for each block of 16 by 16, fewer at the edges. Codes
and numbers are torch's; `dequantized/` holds what they stand for, `weight.to(float32) * scale` block by block,
and the golden is computed from that. `rounded_scales/` holds the same codes under bfloat16 scales, and
`dequantized_rounded.safetensors` what they stand for then; `power_scales/` and `dequantized_powers.safetensors` the same under scales in
float8_e8m0fnu, which are powers of two. `fp8.safetensors` beside the folder has one matrix as it was before.
"""

import json
import shutil
import zlib

import numpy as np
import torch
from safetensors.torch import save_file
from transformers import BertModel

import bert
import fixture
from exact import FIXTURES, exact_outputs, write_golden

BLOCK = (16, 16)
FOLDER = FIXTURES / "codecs" / "fp8"


def blocks(shape):
    return [-(-extent // size) for extent, size in zip(shape, BLOCK)]


def expanded(scales, shape):
    """The scale of every element."""
    full = scales.repeat_interleave(BLOCK[0], 0).repeat_interleave(BLOCK[1], 1)
    return full[: shape[0], : shape[1]]


def quantised(weight):
    """Codes and scales: the largest magnitude of a block becomes 448, the largest of the type."""
    scales = torch.empty(blocks(weight.shape))
    for row in range(scales.shape[0]):
        for column in range(scales.shape[1]):
            block = weight[
                row * BLOCK[0] : (row + 1) * BLOCK[0], column * BLOCK[1] : (column + 1) * BLOCK[1]
            ]
            scales[row, column] = block.abs().max() / torch.finfo(torch.float8_e4m3fn).max
    return (weight / expanded(scales, weight.shape)).to(torch.float8_e4m3fn), scales


def dequantised(codes, scales):
    return codes.to(torch.float32) * expanded(scales.to(torch.float32), codes.shape)


def save(folder, weights, config):
    folder.mkdir(parents=True)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    (folder / "config.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")


def main():
    case, seed = bert.Case(BertModel), zlib.crc32(b"fp8")
    model = fixture.build(fixture.Family("bert", bert.config, {}, bert.centre), case, seed)
    matrices = [n + ".weight" for n, m in model.named_modules() if isinstance(m, torch.nn.Linear)]
    stored, rounded, powers, plain, plain_rounded, plain_powers = {}, {}, {}, {}, {}, {}
    for name, weight in model.state_dict().items():
        if name not in matrices:
            for table in (stored, rounded, powers, plain):
                table[name] = weight
            continue
        codes, scales = quantised(weight)
        stored[name], stored[name + "_scale_inv"] = codes, scales
        rounded[name], rounded[name + "_scale_inv"] = codes, scales.to(torch.bfloat16)
        plain[name] = dequantised(codes, scales)
        plain_rounded[name] = dequantised(codes, scales.to(torch.bfloat16))
        two = scales.to(torch.float8_e8m0fnu)
        powers[name], powers[name + "_scale_inv"] = codes, two
        plain_powers[name] = dequantised(codes, two)
    model.config.architectures = ["BertModel"]
    config = json.loads(model.config.to_json_string(use_diff=False))
    config["dtype"] = "float32"
    kept = json.loads((FIXTURES / "bert/base/config.json").read_text()).keys()
    config = {key: value for key, value in config.items() if key in kept}
    quantization = {
        "activation_scheme": "dynamic",
        "fmt": "e4m3",
        "quant_method": "fp8",
        "weight_block_size": list(BLOCK),
    }
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.parent.mkdir(exist_ok=True)
    save(FOLDER, stored, config | {"quantization_config": quantization})
    save(FOLDER / "rounded_scales", rounded, config | {"quantization_config": quantization})
    save(FOLDER / "power_scales", powers, config | {"quantization_config": quantization})
    save(FOLDER / "dequantized", plain, config)
    save_file(plain_rounded, FOLDER / "dequantized_rounded.safetensors")
    save_file(plain_powers, FOLDER / "dequantized_powers.safetensors")
    save_file({matrices[0]: model.state_dict()[matrices[0]]}, FOLDER.with_suffix(".safetensors"))
    model.load_state_dict(plain)
    inputs = bert.right_padded(np.random.default_rng(seed), model.config)
    write_golden(FOLDER / "golden.npz", model, inputs, exact_outputs(model, inputs), seed=seed)


if __name__ == "__main__":
    main()
