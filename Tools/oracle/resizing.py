"""Grids of another size as torch's interpolate makes them in float64: Fixtures/kernels/resizing.json."""

import json

import torch
from convolution import numbers
from exact import FIXTURES

# rows, columns and width of a grid; its new rows and columns
CASES = {
    "larger": ((3, 4, 2), (7, 5)),
    "smaller": ((9, 8, 2), (4, 3)),
    "both": ((7, 3, 2), (2, 8)),
    "same": ((3, 4, 2), (3, 4)),
    "one": ((1, 1, 2), (3, 2)),
    "to_one": ((5, 6, 2), (1, 1)),
}


def main():
    generator, cases = torch.Generator().manual_seed(17), []
    for name, (shape, size) in CASES.items():
        x = numbers(shape, generator)
        for mode, smoothed in [(mode, smoothed) for mode in ("bicubic", "bilinear") for smoothed in (False, True)]:
            y = torch.nn.functional.interpolate(
                x.permute(2, 0, 1)[None], size=size, mode=mode, align_corners=False, antialias=smoothed
            )[0].permute(1, 2, 0)
            cases.append(
                {
                    "name": name,
                    "isSmoothed": smoothed,
                    "isLinear": mode == "bilinear",
                    "shape": list(shape),
                    "size": list(size),
                    "x": x.flatten().tolist(),
                    "y": y.flatten().tolist(),
                }
            )
    (FIXTURES / "kernels" / "resizing.json").write_text(json.dumps(cases) + "\n")


if __name__ == "__main__":
    main()
