"""Writes Fixtures/codecs/fp8_scales: python Tools/oracle/fp8_scales.py

A BERT of one layer whose matrices are in float8_e4m3fn with one scale (`tensor`, beside it the scale of a static
`input_scale`) or with one for each row (`channel`), as compressed-tensors stores them. Codes are made and decoded by
compressed-tensors' own `quantize` and `dequantize`; `NAME.safetensors` holds what the codes stand for, and `source.safetensors` one matrix as it
was before.
"""

import json
import shutil
import zlib

import torch
from compressed_tensors.quantization import QuantizationArgs
from compressed_tensors.quantization.lifecycle.forward import dequantize, quantize
from safetensors.torch import save_file
from transformers import BertModel

import bert
import fixture
from exact import FIXTURES

FOLDER = FIXTURES / "codecs" / "fp8_scales"


def arguments(strategy):
    return QuantizationArgs(num_bits=8, type="float", strategy=strategy, symmetric=True)


def scales(weight, strategy):
    largest = weight.abs().max().reshape(1)
    if strategy == "channel":
        largest = weight.abs().amax(1, keepdim=True)
    return largest / torch.finfo(torch.float8_e4m3fn).max


def quantization(strategy):
    weights = {"num_bits": 8, "type": "float", "strategy": strategy, "symmetric": True}
    inputs = weights | {"strategy": "tensor"} if strategy == "tensor" else None
    group = {"targets": ["Linear"], "weights": weights, "input_activations": inputs}
    return {
        "quant_method": "compressed-tensors",
        "format": "float-quantized",
        "quantization_status": "compressed",
        "config_groups": {"group_0": group},
        "ignore": [],
    }


def main():
    case, seed = bert.Case(BertModel, {"num_hidden_layers": 1}), zlib.crc32(b"fp8_scales")
    model = fixture.build(fixture.Family("bert", bert.config, {}, bert.centre), case, seed)
    matrices = [n for n, m in model.named_modules() if isinstance(m, torch.nn.Linear)]
    model.config.architectures = ["BertModel"]
    config = json.loads(model.config.to_json_string(use_diff=False))
    kept = json.loads((FIXTURES / "bert/base/config.json").read_text()).keys()
    config = {key: value for key, value in config.items() if key in kept} | {"dtype": "float32"}
    shutil.rmtree(FOLDER, ignore_errors=True)
    for strategy in ["tensor", "channel"]:
        stored, plain = {}, {}
        for name, weight in model.state_dict().items():
            module = name.removesuffix(".weight")
            if module not in matrices:
                stored[name] = plain[name] = weight
                continue
            scale, args = scales(weight, strategy), arguments(strategy)
            codes = quantize(weight, scale, None, args, dtype=torch.float8_e4m3fn)
            stored[name], stored[name + "_scale"] = codes, scale
            plain[name] = dequantize(codes, scale, None, args)
            assert plain[name].dtype == torch.float32
            if strategy == "tensor":
                stored[module + ".input_scale"] = torch.rand(1)
        folder = FOLDER / strategy
        folder.mkdir(parents=True)
        save_file(stored, folder / "model.safetensors", metadata={"format": "pt"})
        text = json.dumps(
            config | {"quantization_config": quantization(strategy)}, indent=2, sort_keys=True
        )
        (folder / "config.json").write_text(text + "\n")
        save_file(plain, FOLDER / f"{strategy}.safetensors")
    first = matrices[0] + ".weight"
    save_file({first: model.state_dict()[first]}, FOLDER / "source.safetensors")


if __name__ == "__main__":
    main()
