"""Writes Fixtures/codecs/sparse and Fixtures/codecs/compressed_tensors/experts.safetensors: python Tools/oracle/compressed_more.py sparse|experts

`sparse`: a Llama whose matrices are mostly zeros, as compressed-tensors 0.12.2, the last version that wrote them, stores such ones (pip install
--no-deps, after requirements.txt, and pydantic, loguru, frozendict), and `decoded.json`, the SHA-256 of what it makes of each. The golden is
computed in float64 from those numbers. `experts`: matrices of several experts in one tensor, as compressed-tensors 0.20.1 packs
them, and what it makes of each expert's. `sparse --others FOLDER` writes matrices of other sizes and types there, with what they were.
"""

import hashlib
import json
import shutil
import sys
import zlib
from pathlib import Path

import numpy as np
import torch
from compressed_tensors.compressors import BaseCompressor
from safetensors.torch import save_file

from exact import FIXTURES

SIZES = {
    "vocab_size": 37, "hidden_size": 64, "num_attention_heads": 4, "num_key_value_heads": 2,
    "intermediate_size": 96, "num_hidden_layers": 1, "max_position_embeddings": 32,
    "tie_word_embeddings": True, "bos_token_id": 36, "eos_token_id": 36, "pad_token_id": None,
}
TYPES = {torch.float16: "F16", torch.bfloat16: "BF16", torch.float32: "F32"}
CASES = {"bitmask": ("sparse-bitmask", torch.bfloat16), "two_four": ("sparse-24-bitmask", torch.float16)}


def compressor(form):
    from compressed_tensors.config import BitmaskConfig, Sparse24BitMaskConfig

    structure, kind = ("2:4", Sparse24BitMaskConfig) if "24" in form else ("unstructured", BitmaskConfig)
    config = kind(format=form, sparsity_structure=structure)
    return BaseCompressor.load_from_registry(form, config=config), config


def pruned(weight, form, generator):
    """The largest two of four, or what chance leaves, of some rows nothing, and of some all."""
    if "24" in form:
        fours = weight.reshape(-1, 4)
        least = fours.abs().topk(2, dim=1, largest=False).indices
        return fours.scatter(1, least, 0).reshape(weight.shape)
    kept = torch.from_numpy(generator.random(weight.shape) < 0.4)
    if weight.ndim == 2:
        kept[3] = False
        kept[5] = True
    return weight * kept


def parts(name, weight, form):
    own, _ = compressor(form)
    stored = own.compress({name: weight})
    prefix = name.removesuffix(".weight")
    state = {key.removeprefix(prefix + "."): value for key, value in stored.items()}
    decoded = own.decompress_weight(state)
    assert torch.equal(decoded, weight)
    return stored, decoded


def digest(number):
    data = number.contiguous().view(torch.uint8).numpy().tobytes()
    return [TYPES[number.dtype], list(number.shape), hashlib.sha256(data).hexdigest()]


def sparse():
    from transformers import LlamaConfig, LlamaForCausalLM

    import fixture
    from exact import exact_outputs, write_golden

    for name, (form, dtype) in CASES.items():
        seed = zlib.crc32(f"sparse/{name}".encode())
        generator = np.random.default_rng(seed)
        centre = lambda key: (1, 0.1) if "norm" in key else (0, 0.3)
        family = fixture.Family("llama", lambda case, seed: LlamaConfig(**SIZES), {}, centre)
        model = fixture.build(family, fixture.Case(LlamaForCausalLM), seed)
        stored, plain, decoded = {}, {}, {}
        for key, weight in model.state_dict().items():
            if key == "lm_head.weight":
                continue
            weight = weight.to(dtype)
            # One module is left as it is.
            if "_proj" in key and "o_proj" not in key:
                own, weight = parts(key, pruned(weight, form, generator), form)
                stored |= own
                decoded[key] = digest(weight)
            else:
                stored[key] = weight
            plain[key] = weight.float()
        folder = FIXTURES / "codecs/sparse" / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        save_file(stored, folder / "model.safetensors", metadata={"format": "pt"})
        (folder / "decoded.json").write_text(json.dumps(decoded, indent=0) + "\n")
        model.config.architectures = ["LlamaForCausalLM"]
        kept = json.loads((FIXTURES / "llama/base/config.json").read_text()).keys()
        config = json.loads(model.config.to_json_string(use_diff=False))
        config = {k: v for k, v in config.items() if k in kept or k in SIZES} | {"dtype": str(dtype)[6:]}
        settings = json.loads(compressor(form)[1].model_dump_json())
        config["quantization_config"] = {"quant_method": "compressed-tensors", "sparsity_config": settings}
        (folder / "config.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")
        model.load_state_dict(plain | {"lm_head.weight": plain["model.embed_tokens.weight"]})
        inputs = {"input_ids": np.random.default_rng(seed).integers(0, 36, (2, 7))}
        write_golden(folder / "golden.npz", model, inputs, {"logits": exact_outputs(model, inputs)["logits"]}, seed=seed)
        print(f"{name:20}", {path.name: path.stat().st_size for path in folder.iterdir()})


def others(folder):
    """Matrices of many sizes, two files for each: what is stored, and what it was."""
    generator = np.random.default_rng(3)
    folder.mkdir(parents=True, exist_ok=True)
    for form in ["sparse-bitmask", "sparse-24-bitmask"]:
        stored, plain = {}, {}
        for number, dtype in enumerate(list(TYPES) * 12):
            rows, columns = (int(x) for x in generator.integers(6, 70, 2))
            columns = columns // 4 * 4 + 4 if "24" in form else columns
            shape = (columns,) if number % 9 == 8 and "24" not in form else (rows, columns)
            weight = torch.from_numpy(generator.normal(size=shape)).to(dtype)
            own, decoded = parts(f"m{number}.weight", pruned(weight, form, generator), form)
            stored |= own
            plain[f"m{number}.weight"] = decoded
        save_file(stored, folder / f"{form}.safetensors")
        save_file(plain, folder / f"{form}.plain.safetensors")


def experts():
    from compressed_tensors.quantization import QuantizationArgs, QuantizationScheme
    from compressed_tensors.quantization.utils import calculate_qparams

    generator = np.random.default_rng(5)
    stored = {}
    for bits, symmetric, size, form in [
        (4, True, 32, "pack-quantized"), (4, False, 16, "pack-quantized"), (3, False, None, "pack-quantized"),
        (8, True, None, "int-quantized"),
    ]:
        args = QuantizationArgs(
            num_bits=bits, symmetric=symmetric, type="int", strategy="group" if size else "channel", group_size=size)
        scheme = QuantizationScheme(targets=["Linear"], weights=args)
        own = BaseCompressor.get_value_from_registry(form)
        each, numbers = [], []
        for _ in range(3):
            weight = torch.from_numpy(generator.normal(0, 0.3, (11, 64))).bfloat16()
            pieces = torch.stack(weight.split(size or 64, 1), 1)
            scale, zero = calculate_qparams(pieces.amin(2), pieces.amax(2), args)
            state = {"weight": weight, "weight_scale": scale.bfloat16()} | ({} if symmetric else {"weight_zero_point": zero})
            compressed = own.compress(state, scheme)
            each.append(compressed)
            numbers.append(own.decompress(dict(compressed), scheme)["weight"])
        name = f"{'packed' if form[0] == 'p' else 'bytes'}_{bits}_{'symmetric' if symmetric else 'asymmetric'}"
        for key in each[0]:
            value = torch.stack([one[key] for one in each])
            stored[f"{name}.{key}"] = torch.tensor([3, 11, 64]) if key == "weight_shape" else value
        if form[0] == "p":
            # Its own way to pack experts together gives the same.
            from compressed_tensors.compressors.pack_quantized.helpers import unpack_from_int32

            together = unpack_from_int32(stored[f"{name}.weight_packed"], bits, torch.Size([3, 11, 64]))
            apart = [unpack_from_int32(one["weight_packed"], bits, torch.Size([11, 64])) for one in each]
            assert torch.equal(together, torch.stack(apart))
        stored[f"{name}.numbers"] = torch.stack(numbers)
    save_file(stored, FIXTURES / "codecs/compressed_tensors/experts.safetensors")


if __name__ == "__main__":
    if sys.argv[2:3] == ["--others"]:
        others(Path(sys.argv[3]))
    else:
        {"sparse": sparse, "experts": experts}[sys.argv[1]]()
