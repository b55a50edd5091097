"""Writes Fixtures/codecs/mlx: python Tools/oracle/mlx_quantised.py [CASE ...]

A Llama whose matrices and embeddings are quantised by mlx itself (requirements.txt, and mlx[cpu]==0.32.4), in each of its modes, with the
config that mlx-lm writes; `decoded.json`, the SHA-256 of each matrix that `mlx.core.dequantize` makes of it on a CPU; beside the folder, one
matrix as it was before. The golden is computed in float64 from those numbers. `affine.safetensors`: one matrix whose groups are unlike each
other, and what mlx makes of it in all bits, groups and types. `--others FOLDER [SEED]` writes models with other settings there, of whose groups
many are such, and beside each `NAME.original`, what it was before; and no goldens.
"""

import hashlib
import json
import shutil
import sys
import zlib
from pathlib import Path

import mlx.core as mx
import numpy as np
import torch
from safetensors.torch import save_file
from transformers import LlamaConfig, LlamaForCausalLM

import fixture
from exact import FIXTURES, exact_outputs, write_golden

SIZES = {
    "vocab_size": 37, "hidden_size": 64, "num_attention_heads": 4, "num_key_value_heads": 2,
    "intermediate_size": 96, "num_hidden_layers": 1, "max_position_embeddings": 32,
    "tie_word_embeddings": True, "bos_token_id": 36, "eos_token_id": 36, "pad_token_id": None,
}
TYPES = {"F16": (mx.float16, torch.float16), "BF16": (mx.bfloat16, torch.bfloat16), "F32": (mx.float32, torch.float32)}
WIDE = {"hidden_size": 128, "intermediate_size": 128, "num_attention_heads": 4}

# Settings of all modules, of some of them, and the type of what is quantised.
CASES = {
    "four_bits": ({"bits": 4, "group_size": 32}, {}, "BF16"),
    "three_bits": ({"bits": 3, "group_size": 32}, {"model.layers.0.mlp.up_proj": {"bits": 6, "group_size": 32}}, "F16"),
    "eight_bits": ({"bits": 8, "group_size": 32}, {"model.layers.0.mlp.down_proj": {"bits": 5, "group_size": 32}}, "F32"),
    "mxfp4": ({"bits": 4, "group_size": 32, "mode": "mxfp4"}, {}, "BF16"),
    "mxfp8": ({"bits": 8, "group_size": 32, "mode": "mxfp8"}, {"model.layers.0.mlp.up_proj": {"bits": 2, "group_size": 32}}, "BF16"),
    "nvfp4": ({"bits": 4, "group_size": 16, "mode": "nvfp4"}, {}, "F16"),
}


def others(seed):
    for bits in [1, 2, 3, 4, 5, 6, 8]:
        for size in [32, 64, 128]:
            yield f"affine_{bits}_{size}", ({"bits": bits, "group_size": size}, {}, list(TYPES)[(bits + size // 32 + seed) % 3])
    for mode, bits, size in [("mxfp4", 4, 32), ("mxfp8", 8, 32), ("nvfp4", 4, 16)]:
        yield f"{mode}_others", ({"bits": bits, "group_size": size, "mode": mode}, {}, "F32")


def odd(shape, generator):
    """A matrix whose rows are unlike each other, in groups of 32."""
    groups = generator.normal(0, 0.3, (shape[0] * shape[1] // 32, 32)).astype(np.float32)
    for index, group in enumerate(groups):
        kind = index % 12
        if kind == 1:
            group[:] = 0
        elif kind == 2:
            group[:] = generator.normal()
        elif kind == 3:
            group[generator.integers(32)] = 40 * generator.normal()
        elif kind == 4:
            group[:] = -np.abs(group)
        elif kind == 5:
            group[:] = np.abs(group) + 1
        elif kind == 6:
            group *= np.float32(2.0 ** generator.integers(-30, -8))
        elif kind == 7:
            # Halves between codes.
            group[:] = generator.integers(-9, 9, 32) * 0.125
        elif kind == 8:
            group[:] = 0
            group[generator.integers(32)] = generator.normal()
        elif kind == 9:
            group *= np.float32(1000)
        elif kind == 10:
            group[:] = -0.25 - np.abs(group[0])
    return groups.reshape(shape)


def write_affine(path):
    """What mlx makes of one matrix, in all ways."""
    matrix = odd((4, 384), np.random.default_rng(7))
    stored = {"matrix": mx.array(matrix)}
    for bits in [1, 2, 3, 4, 5, 6, 8]:
        for size in [32, 64, 128]:
            for name, (own, _) in TYPES.items():
                if bits not in (4, 8) and (bits + size // 32 + len(name)) % 3:
                    continue
                parts = mx.quantize(mx.array(matrix).astype(own), group_size=size, bits=bits)
                stored |= {f"{name}.{bits}.{size}.{part}": value for part, value in zip(["weight", "scales", "biases"], parts)}
    mx.save_safetensors(str(path), stored)


def bits_of(array):
    """The bytes of an array, which numpy may have no type for."""
    return np.array(array.view(mx.uint8))


def write(folder, name, everywhere, some, dtype, sizes, has_golden=True, seed=0):
    seed += zlib.crc32(name.encode())
    centre = lambda key: (1, 0.1) if "norm" in key else (0, 0.3)
    family = fixture.Family("llama", lambda case, seed: LlamaConfig(**SIZES | sizes), {}, centre)
    model = fixture.build(family, fixture.Case(LlamaForCausalLM), seed)
    original = {key: value.clone() for key, value in model.state_dict().items()}
    if not has_golden:
        generator = np.random.default_rng(seed)
        original |= {k: torch.from_numpy(odd(v.shape, generator)) for k, v in original.items() if v.ndim == 2}
    stored, plain, decoded, before = {}, {}, {}, None
    for key, weight in original.items():
        if key == "lm_head.weight":
            continue
        own, other = TYPES[dtype]
        module = key.removesuffix(".weight")
        # One module is left as it is.
        if "norm" in key or key == "model.layers.0.self_attn.o_proj.weight":
            stored[key] = mx.array(weight.numpy()).astype(own)
            plain[key] = weight.to(other).float()
            continue
        settings = some.get(module, everywhere)
        matrix = mx.array(weight.numpy()).astype(own)
        if key == "model.layers.0.self_attn.k_proj.weight":
            before = {key: weight.to(other)}
        parts = mx.quantize(matrix, **settings)
        stored |= {f"{module}.{part}": value for part, value in zip(["weight", "scales", "biases"], parts)}
        number = mx.dequantize(*parts, **settings, stream=mx.cpu)
        types = {mx.float16: "F16", mx.bfloat16: "BF16", mx.float32: "F32"}
        decoded[key] = [types[number.dtype], list(number.shape), hashlib.sha256(bits_of(number).tobytes()).hexdigest()]
        plain[key] = torch.from_numpy(np.array(number.astype(mx.float32)))
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    mx.save_safetensors(str(folder / "model.safetensors"), stored, metadata={"format": "mlx"})
    (folder / "decoded.json").write_text(json.dumps(decoded, indent=0) + "\n")
    model.config.architectures = ["LlamaForCausalLM"]
    kept = json.loads((FIXTURES / "llama/base/config.json").read_text()).keys()
    config = json.loads(model.config.to_json_string(use_diff=False))
    config = {k: v for k, v in config.items() if k in kept or k in SIZES} | {"dtype": "float16"}
    config["quantization"] = config["quantization_config"] = {"mode": "affine"} | everywhere | some
    (folder / "config.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")
    if not has_golden:
        other = folder.with_name(f"{folder.name}.original")
        shutil.rmtree(other, ignore_errors=True)
        other.mkdir()
        kept = {k: v.to(TYPES[dtype][1]) for k, v in original.items() if k != "lm_head.weight"}
        save_file(kept, other / "model.safetensors", metadata={"format": "pt"})
        del config["quantization"], config["quantization_config"]
        (other / "config.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")
    else:
        model.load_state_dict(plain | {"lm_head.weight": plain["model.embed_tokens.weight"]})
        inputs = {"input_ids": np.random.default_rng(seed).integers(0, 36, (2, 7))}
        outputs = exact_outputs(model, inputs)
        save_file(before, folder.with_suffix(".safetensors"), metadata={"format": "pt"})
        write_golden(folder / "golden.npz", model, inputs, {"logits": outputs["logits"]}, seed=seed)


def main():
    mx.set_default_device(mx.cpu)
    if sys.argv[1:2] == ["--others"]:
        seed = int((sys.argv[3:] or ["0"])[0])
        for name, case in others(seed):
            write(Path(sys.argv[2]) / name, name, *case, WIDE, has_golden=False, seed=seed)
        return
    write_affine(FIXTURES / "codecs/mlx/affine.safetensors")
    for name, case in CASES.items():
        if sys.argv[1:] and name not in sys.argv[1:]:
            continue
        folder = FIXTURES / "codecs/mlx" / name
        write(folder, f"mlx/{name}", *case, {})
        print(f"{name:20}", {path.name: path.stat().st_size for path in folder.iterdir()})


if __name__ == "__main__":
    main()
