"""Convolutions as torch computes them in float64: Fixtures/kernels/convolution.json."""

import json

import torch
from exact import FIXTURES

# x, weight, whether there is a bias, stride, padding, dilation, groups; one or two axes
CASES = {
    "1d": ([2, 3, 11], [4, 3, 3], True, 1, 0, 1, 1),
    "1d-stride-padding": ([1, 4, 10], [6, 4, 3], True, 2, 1, 1, 1),
    "1d-depthwise-causal": ([2, 5, 9], [5, 1, 4], True, 1, 3, 1, 5),
    "1d-dilated-groups": ([1, 6, 17], [4, 3, 3], False, 2, 2, 3, 2),
    "1d-unit": ([1, 3, 5], [2, 3, 1], True, 1, 0, 1, 1),
    "2d": ([2, 3, 7, 6], [4, 3, 3, 2], True, 1, 0, 1, 1),
    "2d-patches": ([1, 3, 8, 12], [5, 3, 4, 4], True, 4, 0, 1, 1),
    "2d-depthwise": ([1, 4, 6, 5], [8, 1, 3, 3], False, [2, 1], [1, 2], [1, 2], 4),
    "2d-groups": ([2, 4, 5, 9], [6, 2, 2, 3], True, [1, 3], [2, 0], [2, 1], 2),
    "2d-large": ([1, 1, 21, 20], [1, 1, 3, 3], True, 1, 1, 1, 1),
}


def numbers(shape, generator):
    """Few digits, so that the file is small."""
    return (torch.rand(shape, generator=generator, dtype=torch.float64) * 2 - 1).mul(100).round() / 64


def main():
    generator, cases = torch.Generator().manual_seed(16), {}
    for name, (shape, kernel, has_bias, stride, padding, dilation, groups) in CASES.items():
        x, weight = numbers(shape, generator), numbers(kernel, generator)
        bias = numbers(kernel[:1], generator) if has_bias else None
        function = torch.nn.functional.conv1d if len(shape) == 3 else torch.nn.functional.conv2d
        y = function(x, weight, bias, stride, padding, dilation, groups)
        axes = len(shape) - 2
        listed = [value if isinstance(value, list) else [value] * axes for value in (stride, padding, dilation)]
        arrays = {"x": x, "weight": weight, "y": y} | ({"bias": bias} if has_bias else {})
        cases[name] = dict(zip(("stride", "padding", "dilation"), listed, strict=True)) | {
            "groups": groups,
            "arrays": {
                key: {"shape": list(value.shape), "elements": value.flatten().tolist()}
                for key, value in arrays.items()
            },
        }
    path = FIXTURES / "kernels" / "convolution.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(cases) + "\n")


main()
