"""Writes Fixtures/codecs/{gptq,awq,compressed_tensors,bitsandbytes,nvfp4}: python Tools/oracle/quantised.py [SCHEME ...]

A Llama whose matrices are quantised, and decoded again, by their makers' own code (requirements-quantised.txt): what is stored, and
`decoded.json`, the SHA-256 of each matrix that the maker's code makes of it, with type and shape; beside the folder, one matrix as it was before.
The golden is computed in float64 from those numbers. Scales are those of the largest and the smallest number of a group. `--others FOLDER` writes models with
other settings there, and no goldens.

AutoAWQ and ModelOpt are imported past their packages' front doors, which need what a CPU does not have. AutoAWQ decodes `gemv` on GPUs
alone: there the numbers are those of its `gemm` for the same codes, scales and zero points.
"""

import hashlib
import importlib.util
import json
import math
import shutil
import sys
import types
import zlib
from pathlib import Path

import bitsandbytes as bnb
import numpy as np
import torch
from bitsandbytes.functional import QuantState
from compressed_tensors.compressors import BaseCompressor
from compressed_tensors.quantization import QuantizationArgs, QuantizationScheme
from compressed_tensors.quantization.utils import calculate_qparams
from gptqmodel.nn_modules.qlinear.torch import TorchLinear
from gptqmodel.quantization import FORMAT, QuantizeConfig
from gptqmodel.utils.model import (
    convert_gptq_v1_to_v2_format_module,
    convert_gptq_v2_to_v1_format_module,
)
from safetensors.torch import save_file
from transformers import LlamaConfig, LlamaForCausalLM

import fixture
from exact import FIXTURES, exact_outputs, write_golden

SIZES = {
    "vocab_size": 37,
    "hidden_size": 64,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "max_position_embeddings": 32,
    "tie_word_embeddings": True,
    "bos_token_id": 36,
    "eos_token_id": 36,
    "pad_token_id": None,
}


def package(name):
    """A package whose modules are imported without running what it imports first."""
    spec = importlib.util.find_spec(name)
    module = types.ModuleType(name)
    module.__path__ = list(spec.submodule_search_locations)
    sys.modules[name] = module


for name in ["awq", "awq.modules", "awq.modules.linear", "awq.utils"]:
    package(name)
from awq.modules.linear.gemm import WQLinear_GEMM  # noqa: E402
from awq.modules.linear.gemv import WQLinear_GEMV  # noqa: E402
from awq.utils.packing_utils import dequantize_gemm  # noqa: E402


def linear(weight):
    module = torch.nn.Linear(weight.shape[1], weight.shape[0], bias=False)
    module.weight.data = weight
    return module


def grid(weight, bits, size, symmetric):
    """Scales and zero points [out, groups] of groups of inputs, the last one perhaps smaller."""
    parts = weight.split(size if size > 0 else weight.shape[1], 1)
    low = torch.stack([part.amin(1) for part in parts], 1)
    high = torch.stack([part.amax(1) for part in parts], 1)
    if symmetric:
        scales = 2 * torch.maximum(-low, high) / (2**bits - 1)
        return scales, torch.full_like(scales, 2 ** (bits - 1))
    low, high = low.clamp(max=0), high.clamp(min=0)
    scales = (high - low) / (2**bits - 1)
    return scales, (-low / scales).round().clamp(0, 2**bits - 1)


# --- The schemes: what is stored of a module, and its weight ---------------------------------


def gptq(
    weight, random, bits=4, size=32, symmetric=True, act_order=False, form="gptq", dtype=torch.float16
):
    rows, columns = weight.shape
    groups = torch.arange(columns, dtype=torch.int32) // (size if size > 0 else columns)
    order = torch.randperm(columns, generator=random) if act_order else torch.arange(columns)
    scales, zeros = grid(weight[:, order], bits, size, symmetric)
    if not symmetric:
        # Zero points at both ends, too.
        zeros[0, 0], zeros[-1, -1] = 0, 2**bits - 1
    indices = torch.empty_like(groups)
    indices[order] = groups
    scales = scales.to(torch.float16).float()
    module = TorchLinear(
        bits=bits, group_size=size, sym=symmetric, desc_act=act_order, in_features=columns,
        out_features=rows, bias=False, pack_dtype=torch.int32, format=FORMAT.GPTQ_V2,
    )
    module.pack_original(linear(weight), scales.clone(), zeros.clone(), indices)
    module.scales = module.scales.to(dtype)
    if form == "gptq":
        convert_gptq_v2_to_v1_format_module(module, QuantizeConfig(bits=bits))
    stored = {k: getattr(module, k).clone() for k in ["qweight", "qzeros", "scales", "g_idx"]}
    if form == "gptq":
        convert_gptq_v1_to_v2_format_module(module, bits, torch.int32)
    module.post_init()
    decoded = module.dequantize_weight().t().contiguous()
    config = {
        "quant_method": "gptq", "bits": bits, "group_size": size, "desc_act": act_order,
        "sym": symmetric, "checkpoint_format": form,
    }
    return stored, decoded, config


def awq(weight, random, size=32, version="gemm"):
    scales, zeros = grid(weight, 4, size, False)
    scales = scales.half().float()
    length = size if size > 0 else weight.shape[1]
    # AutoAWQ packs codes beyond 15 into their neighbours.
    full, points = (x.repeat_interleave(length, 1) for x in (scales, zeros))
    weight = full * ((weight / full + points).round().clamp(0, 15) - points)
    gemm = WQLinear_GEMM.from_linear(
        linear(weight), 4, length, scales=scales.t().contiguous(), zeros=zeros.t().contiguous()
    )
    assert gemm.qweight.shape == (weight.shape[1], weight.shape[0] // 8)
    decoded = dequantize_gemm(gemm.qweight, gemm.qzeros, gemm.scales, 4, length)
    module = gemm
    if version == "gemv":
        module = WQLinear_GEMV.from_linear(linear(weight), 4, length, scales=scales, zeros=zeros)
    stored = {k: getattr(module, k).clone() for k in ["qweight", "qzeros", "scales"]}
    config = {
        "quant_method": "awq", "bits": 4, "group_size": size, "zero_point": True, "version": version,
        "modules_to_not_convert": None,
    }
    return stored, decoded.t().contiguous(), config


def compressed(
    weight, random, form="pack-quantized", dtype=torch.bfloat16, outer=(1,), **arguments
):
    """Any form of compressed-tensors; `outer` is the shape of a global scale."""
    args = QuantizationArgs(**arguments)
    scheme = QuantizationScheme(targets=["Linear"], weights=args)
    weight = weight.to(dtype)
    state = {"weight": weight}
    size = args.group_size or weight.shape[1]
    parts = torch.stack(weight.split(size, 1), 1)
    low, high = parts.amin(2), parts.amax(2)
    if args.strategy == "tensor":
        low, high = low.amin().reshape(1), high.amax().reshape(1)
    if args.strategy == "block":
        rows, columns = args.block_structure
        whole = torch.nn.functional.pad(
            weight, (0, -weight.shape[1] % columns, 0, -weight.shape[0] % rows)
        )
        blocks = whole.unflatten(1, (-1, columns)).unflatten(0, (-1, rows))
        low, high = blocks.amin((1, 3)), blocks.amax((1, 3))
    if form == "nvfp4-pack-quantized":
        state["weight_global_scale"] = (448 * 6 / weight.abs().max().float()).reshape(outer)
        scale, zero = calculate_qparams(low, high, args, global_scale=state["weight_global_scale"])
    else:
        scale, zero = calculate_qparams(low, high, args)
    state["weight_scale"] = scale if form.startswith("mx") or "nvfp4" in form else scale.to(dtype)
    if not args.symmetric:
        state["weight_zero_point"] = zero
    compressor = BaseCompressor.get_value_from_registry(form)
    stored = compressor.compress(state, scheme)
    decoded = compressor.decompress(dict(stored), scheme)["weight"]
    config = {
        "quant_method": "compressed-tensors", "format": form, "quantization_status": "compressed",
        "config_groups": {
            "group_0": {"targets": ["Linear"], "weights": json.loads(args.model_dump_json())}
        },
        "ignore": ["lm_head"],
    }
    return stored, decoded, config


def four_bits(weight, random, kind="nf4", size=64, nested=False, dtype=torch.float16):
    codes, state = bnb.functional.quantize_4bit(
        weight.to(dtype), blocksize=size, quant_type=kind, compress_statistics=nested
    )
    stored = {"weight": codes} | {
        f"weight.{key}": value for key, value in state.as_dict(packed=True).items()
    }
    # The format's formula: the CPU's kernel is wrong where rows are no whole blocks.
    absmax = state.absmax
    if nested:
        absmax = bnb.functional.dequantize_blockwise(state.absmax, state.state2) + state.offset
    halves = torch.stack([codes.flatten() >> 4, codes.flatten() & 15], 1).flatten()
    numbers = state.code[halves[: weight.numel()].long()]
    decoded = numbers * absmax.repeat_interleave(size)[: weight.numel()]
    decoded = decoded.to(dtype).reshape(weight.shape)
    if weight.shape[1] % size == 0:
        read = QuantState.from_dict(
            {key.removeprefix("weight."): value for key, value in stored.items() if "." in key}, "cpu"
        )
        own = bnb.functional.dequantize_4bit(codes, read)
        assert torch.equal(own, decoded), "the kernel and the formula differ"
    config = {
        "quant_method": "bitsandbytes", "load_in_4bit": True, "load_in_8bit": False,
        "bnb_4bit_quant_type": kind, "bnb_4bit_use_double_quant": nested,
        "bnb_4bit_compute_dtype": "float16", "bnb_4bit_quant_storage": "uint8",
    }
    return stored, decoded, config


def eight_bits(weight, random):
    codes, scales, _ = bnb.functional.int8_vectorwise_quant(weight.half())
    stored = {"weight": codes, "SCB": scales, "weight_format": torch.tensor(0, dtype=torch.uint8)}
    config = {"quant_method": "bitsandbytes", "load_in_4bit": False, "load_in_8bit": True}
    return stored, bnb.functional.int8_vectorwise_dequant(codes, scales), config


def modelopt(weight, random, dtype=torch.bfloat16):
    from modelopt.torch.quantization.qtensor import NVFP4QTensor

    codes, scale, outer = NVFP4QTensor.quantize(weight.to(dtype), 16)
    stored = {"weight": codes._quantized_data, "weight_scale": scale, "weight_scale_2": outer}
    stored["input_scale"] = torch.rand((), generator=random)
    # In the dtype of the model it is this, rounded.
    decoded = codes.dequantize(
        torch.float32, scale=scale, double_scale=outer, block_sizes={-1: 16}
    )
    config = {
        "quant_method": "modelopt", "quant_algo": "NVFP4", "producer": {"name": "modelopt"},
        "config_groups": {"group_0": {"targets": ["Linear"]}}, "ignore": ["lm_head"],
    }
    return stored, decoded, config


# The types in which weights are quantised, where settings do not say.
TYPES = {
    awq: torch.float32, compressed: torch.bfloat16, four_bits: torch.float16,
    eight_bits: torch.float16, modelopt: torch.bfloat16,
}

# --- Cases -----------------------------------------------------------------------------------

PACKED = {"strategy": "group", "type": "int", "group_size": 32}
NV = {"num_bits": 4, "type": "float", "strategy": "tensor_group", "group_size": 16}
NV |= {"scale_dtype": "torch.float8_e4m3fn"}
MX = {"num_bits": 4, "type": "float", "strategy": "group", "group_size": 32}
MX |= {"scale_dtype": "torch.uint8", "zp_dtype": "torch.uint8"}
FP8 = {"num_bits": 8, "type": "float", "form": "float-quantized", "dtype": torch.float32}
ONE = {"num_hidden_layers": 1}

# What is computed, its settings, and sizes that differ.
CASES = {
    "gptq/symmetric": (gptq, {}, {}),
    "gptq/act_order": (
        gptq, {"symmetric": False, "act_order": True, "form": "gptq_v2", "dtype": torch.bfloat16}, {},
    ),
    "gptq/asymmetric": (gptq, {"symmetric": False, "size": 64}, ONE),
    "gptq/two_bits": (gptq, {"bits": 2, "symmetric": False, "size": 16}, ONE),
    "gptq/three_bits": (gptq, {"bits": 3, "symmetric": False, "act_order": True}, ONE),
    "gptq/eight_bits": (gptq, {"bits": 8, "size": -1, "form": "gptq_v2"}, ONE),
    "awq/gemm": (awq, {}, {}),
    "awq/gemv": (awq, {"version": "gemv"}, ONE),
    "compressed_tensors/four_bits": (compressed, PACKED | {"num_bits": 4, "symmetric": True}, {}),
    "compressed_tensors/three_bits": (
        compressed, {"num_bits": 3, "symmetric": False, "strategy": "channel", "type": "int"}, ONE,
    ),
    "compressed_tensors/five_bits": (
        compressed,
        PACKED | {"num_bits": 5, "symmetric": False, "group_size": 16, "dtype": torch.float16}, ONE,
    ),
    "compressed_tensors/bytes": (
        compressed,
        {"num_bits": 8, "symmetric": False, "strategy": "channel", "type": "int"}
        | {"form": "int-quantized", "dtype": torch.float32}, ONE,
    ),
    "compressed_tensors/fp8_groups": (compressed, FP8 | {"strategy": "group", "group_size": 32}, ONE),
    "compressed_tensors/fp8_blocks": (
        compressed, FP8 | {"strategy": "block", "block_structure": [24, 32]}, ONE,
    ),
    "bitsandbytes/nf4": (four_bits, {"dtype": torch.bfloat16, "nested": True}, ONE),
    "bitsandbytes/fp4": (four_bits, {"kind": "fp4"}, ONE),
    "bitsandbytes/eight_bits": (eight_bits, {}, ONE),
    "nvfp4/compressed_tensors": (compressed, NV | {"form": "nvfp4-pack-quantized"}, {}),
    "nvfp4/mxfp4": (compressed, MX | {"form": "mxfp4-pack-quantized"}, ONE),
    "nvfp4/mxfp6": (compressed, MX | {"num_bits": 6, "form": "mxfp6-pack-quantized"}, ONE),
    "compressed_tensors/mxfp8": (compressed, MX | {"num_bits": 8, "form": "mxfp8-quantized"}, ONE),
    "nvfp4/modelopt": (modelopt, {}, ONE),
}


def others():
    """Settings that no fixture has."""
    for number, bits in enumerate([2, 3, 4, 8] * 3):
        settings = {"bits": bits, "size": [64, 16, -1, 128][(number + bits) % 4]}
        settings |= {"symmetric": number % 3 == 0, "act_order": number % 2 == 1}
        settings |= {"form": ["gptq", "gptq_v2"][number // 2 % 2]}
        settings |= {"dtype": [torch.float16, torch.bfloat16, torch.float32][number % 3]}
        yield f"gptq_{number}", (gptq, settings)
    for size in [64, -1]:
        yield f"awq_gemm_{size}", (awq, {"size": size})
    yield "awq_gemv_64", (awq, {"size": 64, "version": "gemv"})
    for bits in range(1, 9):
        settings = {"num_bits": bits, "type": "int", "symmetric": bits % 2 == 0 and bits > 1}
        settings |= [{"strategy": "channel"}, {"strategy": "group", "group_size": 64}][bits // 2 % 2]
        yield f"ct_{bits}", (compressed, settings | {"dtype": [torch.float16, torch.float32][bits % 2]})
    for strategy in ["tensor", "channel"]:
        settings = {"num_bits": 8, "type": "int", "strategy": strategy, "symmetric": True}
        yield f"ct_bytes_{strategy}", (compressed, settings | {"form": "int-quantized"})
        yield f"ct_naive_{strategy}", (
            compressed, settings | {"form": "naive-quantized", "symmetric": False},
        )
    for number, size in enumerate([32, 64, 128, 256, 4096]):
        dtype = [torch.float16, torch.bfloat16, torch.float32][number % 3]
        for kind in ["nf4", "fp4"]:
            nested = (number + len(kind)) % 2 == 0
            yield f"bnb_{kind}_{size}", (
                four_bits, {"kind": kind, "size": size, "nested": nested, "dtype": dtype},
            )
    yield "bnb_nested", (four_bits, {"nested": True, "size": 32})
    yield "bnb_8", (eight_bits, {})
    yield "nv_scalar", (compressed, NV | {"form": "nvfp4-pack-quantized", "outer": ()})
    yield "nv_modelopt_half", (modelopt, {"dtype": torch.float16})


def centre(name):
    return (1, 0.1) if "norm" in name else (0, 0.3)


def write(folder, name, scheme, settings, sizes, has_golden=True):
    seed = zlib.crc32(name.encode())
    family = fixture.Family("llama", lambda case, seed: LlamaConfig(**SIZES | sizes), {}, centre)
    model = fixture.build(family, fixture.Case(LlamaForCausalLM), seed)
    random = torch.Generator().manual_seed(seed)
    modules = [n for n, m in model.named_modules() if isinstance(m, torch.nn.Linear) and n != "lm_head"]
    original = {key: value.clone() for key, value in model.state_dict().items()}
    stored, plain, decoded, quantization = {}, {}, {}, None
    for key, weight in model.state_dict().items():
        module = key.removesuffix(".weight")
        if key == "lm_head.weight":
            continue
        # One module is left as it is.
        if module not in modules or key == "model.layers.0.self_attn.o_proj.weight":
            stored[key] = weight.to(torch.float16)
            plain[key] = stored[key].float()
            continue
        parts, number, quantization = scheme(weight.clone(), random, **settings)
        stored |= {f"{module}.{part}": value.contiguous() for part, value in parts.items()}
        plain[key] = number.float()
        data = number.detach().contiguous().view(torch.uint8).numpy().tobytes()
        dtype = {torch.float16: "F16", torch.bfloat16: "BF16", torch.float32: "F32"}[number.dtype]
        decoded[key] = [dtype, list(number.shape), hashlib.sha256(data).hexdigest()]
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    save_file(stored, folder / "model.safetensors", metadata={"format": "pt"})
    (folder / "decoded.json").write_text(json.dumps(decoded, indent=0) + "\n")
    model.config.architectures = ["LlamaForCausalLM"]
    kept = json.loads((FIXTURES / "llama/base/config.json").read_text()).keys()
    config = json.loads(model.config.to_json_string(use_diff=False))
    config = {k: v for k, v in config.items() if k in kept or k in SIZES} | {"dtype": "float16"}
    config["quantization_config"] = quantization
    (folder / "config.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")
    if has_golden:
        model.load_state_dict(plain | {"lm_head.weight": plain["model.embed_tokens.weight"]})
        inputs = {"input_ids": np.random.default_rng(seed).integers(0, 36, (2, 7))}
        outputs = exact_outputs(model, inputs)
        # One matrix as it was, in the type in which it was quantised.
        key = "model.layers.0.self_attn.k_proj.weight"
        dtype = settings.get("dtype", TYPES.get(scheme))
        if scheme is gptq:
            dtype = torch.float32
        before = {key: original[key].to(dtype)}
        if settings.get("type") != "float" or settings["form"].startswith(("mx", "nv")):
            save_file(before, folder.with_suffix(".safetensors"), metadata={"format": "pt"})
        write_golden(
            folder / "golden.npz", model, inputs, {"logits": outputs["logits"]}, seed=seed
        )


def main():
    if sys.argv[1:2] == ["--others"]:
        for name, (scheme, settings) in others():
            # Rows that are no whole number of blocks or words.
            sizes = {"hidden_size": 96, "num_attention_heads": 6, "intermediate_size": 160} | ONE
            sizes["intermediate_size"] = 192 if "64" in name or settings.get("group_size") == 64 else 160
            if scheme is awq or settings.get("group_size") == 64:
                sizes = {"hidden_size": 128, "num_attention_heads": 8, "intermediate_size": 192} | ONE
            write(Path(sys.argv[2]) / name, name, scheme, settings, sizes, has_golden=False)
        return
    for name, (scheme, settings, sizes) in CASES.items():
        if sys.argv[1:] and name.split("/")[0] not in sys.argv[1:]:
            continue
        folder = FIXTURES / "codecs" / name
        write(folder, name, scheme, settings, sizes)
        print(f"{name:40}", {path.name: path.stat().st_size for path in folder.iterdir()})


if __name__ == "__main__":
    main()
