"""Writes Fixtures/codecs/torchao: python Tools/oracle/torchao_quantised.py [CASE ...]

A Llama whose matrices are quantised by torchao 0.18.0 (pip install --no-deps, after requirements.txt), and saved by transformers:
what is stored, and `decoded.json`, the SHA-256 of what `dequantize()` makes of each matrix; beside the folder, one matrix as it was before.
The golden is computed in float64 from those numbers. `--others FOLDER` writes models with other settings there, and no goldens.
`packed_f32.safetensors` is one matrix, and its numbers.

`Int4Tensor` (the cases `packed…`) has no `dequantize()`: its numbers are those of torchao's own `_int4_row_dequantize_zp` (prototype/gptq), of scales and
zero points in float32. To make one, torchao needs mslk-cuda 1.1.0 and triton 3.9.0 (pip install --no-deps), of which with
MSLK_PYTHON_ONLY=1 nothing needs a graphics processor.
"""

import hashlib
import json
import shutil
import sys
import tempfile
import zlib
from pathlib import Path

import numpy as np
import torch
import torchao.quantization as ao
from safetensors.torch import load_file, save_file
from transformers import LlamaConfig, LlamaForCausalLM, TorchAoConfig

import fixture
from exact import FIXTURES, exact_outputs, write_golden

SIZES = {
    "vocab_size": 37, "hidden_size": 64, "num_attention_heads": 4, "num_key_value_heads": 2,
    "intermediate_size": 96, "num_hidden_layers": 1, "max_position_embeddings": 32,
    "tie_word_embeddings": True, "bos_token_id": 36, "eos_token_id": 36, "pad_token_id": None,
}
WIDE = {"hidden_size": 128, "intermediate_size": 192}
TYPES = {torch.float16: "F16", torch.bfloat16: "BF16", torch.float32: "F32"}
# These stay as they are.
LEFT = ["model.layers.0.self_attn.o_proj", "lm_head"]


def groups(size, dtype=torch.int4, **settings):
    return ao.IntxWeightOnlyConfig(weight_dtype=dtype, granularity=ao.PerGroup(size), **settings)


ASYMMETRIC = {"mapping_type": ao.quant_primitives.MappingType.ASYMMETRIC}


def packed(size=32):
    return ao.Int4WeightOnlyConfig(group_size=size)


def packed_symmetric():
    return ao.Float8DynamicActivationInt4WeightConfig(int4_packing_format="plain")


def dequantized(weight):
    if type(weight).__name__ != "Int4Tensor":
        return weight.dequantize()
    from torchao.prototype.gptq.api import _int4_row_dequantize_zp

    data = weight.qdata.view(torch.uint8)
    codes = torch.stack([data & 15, data >> 4], dim=-1).flatten(-2).to(torch.int8)
    codes = torch.where(codes > 7, codes - 16, codes)
    number = _int4_row_dequantize_zp(codes, weight.scale.float(), weight.zero_point.float(), weight.block_size[-1])
    return number.to(weight.dtype)


CASES = {
    "int8": (ao.Int8WeightOnlyConfig, torch.bfloat16),
    "int4": (lambda: groups(32), torch.bfloat16),
    "int3": (lambda: groups(16, torch.int3, **ASYMMETRIC), torch.float16),
    "float8": (ao.Float8WeightOnlyConfig, torch.bfloat16),
    "packed_int4": (packed, torch.bfloat16),
}


def others():
    types = [torch.bfloat16, torch.float32, torch.float16]
    for bits in range(2, 9):
        for number, size in enumerate([16, 32, 64]):
            own = ASYMMETRIC if (bits + number) % 2 else {}
            dtype = getattr(torch, f"int{bits}")
            yield f"int{bits}_{size}", (lambda: groups(size, dtype, **own), types[(bits + number) % 3])
    yield "float8_f32", (ao.Float8WeightOnlyConfig, torch.float32)
    yield "int8_f16", (ao.Int8WeightOnlyConfig, torch.float16)
    for size in [32, 64, 128, 256]:
        for dtype in types:
            yield f"packed_{size}_{dtype}".replace("torch.", ""), (lambda: packed(size), dtype)
    yield "packed_symmetric", (packed_symmetric, torch.bfloat16)
    yield "int8_dynamic", (ao.Int8DynamicActivationInt8WeightConfig, torch.bfloat16)


def write(folder, name, scheme, dtype, sizes, has_golden=True):
    seed = zlib.crc32(name.encode())
    centre = lambda key: (1, 0.1) if "norm" in key else (0, 0.3)
    family = fixture.Family("llama", lambda case, seed: LlamaConfig(**SIZES | sizes), {}, centre)
    model = fixture.build(family, fixture.Case(LlamaForCausalLM), seed)
    before = model.state_dict()["model.layers.0.self_attn.k_proj.weight"].to(dtype)
    with tempfile.TemporaryDirectory() as source, tempfile.TemporaryDirectory() as target:
        model.to(dtype).save_pretrained(source)
        settings = TorchAoConfig(quant_type=scheme(), modules_to_not_convert=LEFT)
        coded = LlamaForCausalLM.from_pretrained(source, quantization_config=settings, dtype=dtype)
        coded.save_pretrained(target)
        stored = load_file(Path(target) / "model.safetensors")
        with (Path(target) / "model.safetensors").open("rb") as file:
            head = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        written = json.loads((Path(target) / "config.json").read_text())
    plain, decoded = {}, {}
    for key, weight in coded.state_dict().items():
        if key == "lm_head.weight":
            continue
        if type(weight) is not torch.Tensor:
            number = dequantized(weight)
            data = number.contiguous().view(torch.uint8).numpy().tobytes()
            decoded[key] = [TYPES[number.dtype], list(number.shape), hashlib.sha256(data).hexdigest()]
            weight = number
        plain[key] = weight.float()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    save_file(stored, folder / "model.safetensors", metadata=head["__metadata__"])
    (folder / "decoded.json").write_text(json.dumps(decoded, indent=0) + "\n")
    kept = json.loads((FIXTURES / "llama/base/config.json").read_text()).keys()
    kept |= {"dtype", "quantization_config", "architectures"} | SIZES.keys()
    written = {key: value for key, value in written.items() if key in kept}
    (folder / "config.json").write_text(json.dumps(written, indent=2, sort_keys=True) + "\n")
    if has_golden:
        model = model.float()
        model.load_state_dict(plain | {"lm_head.weight": plain["model.embed_tokens.weight"]})
        inputs = {"input_ids": np.random.default_rng(seed).integers(0, 36, (2, 7))}
        outputs = exact_outputs(model, inputs)
        save_file({"model.layers.0.self_attn.k_proj.weight": before}, folder.with_suffix(".safetensors"), metadata={"format": "pt"})
        write_golden(folder / "golden.npz", model, inputs, {"logits": outputs["logits"]}, seed=seed)


def write_packed(path):
    """One matrix in F32, whose numbers show the order of the steps."""
    torch.manual_seed(4)
    module = torch.nn.Sequential(torch.nn.Linear(64, 32, bias=False))
    ao.quantize_(module, packed())
    weight = module[0].weight
    parts = {"qdata": weight.qdata, "scale": weight.scale, "zero_point": weight.zero_point}
    save_file({f"m._weight_{key}": value for key, value in parts.items()} | {"numbers": dequantized(weight)}, path)


def main():
    if sys.argv[1:2] == ["--others"]:
        for name, case in others():
            write(Path(sys.argv[2]) / name, name, *case, WIDE, has_golden=False)
        return
    write_packed(FIXTURES / "codecs/torchao/packed_f32.safetensors")
    for name, case in CASES.items():
        if sys.argv[1:] and name not in sys.argv[1:]:
            continue
        folder = FIXTURES / "codecs/torchao" / name
        write(folder, f"torchao/{name}", *case, {})
        print(f"{name:20}", {path.name: path.stat().st_size for path in folder.iterdir()})


if __name__ == "__main__":
    main()
