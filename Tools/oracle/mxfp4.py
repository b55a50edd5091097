"""Writes Fixtures/codecs/mxfp4: python Tools/oracle/mxfp4.py

`coded` holds every byte and every scale, and some blocks in rows; `dequantized` what transformers'
own function (integrations/mxfp4.py) makes of them, in single precision, in the order of the codes.
"""

import torch
from safetensors.torch import save_file
from transformers.integrations.mxfp4 import convert_moe_packed_tensors

from exact import FIXTURES

FOLDER = FIXTURES / "codecs" / "mxfp4"


def dequantised(blocks, scales):
    numbers = convert_moe_packed_tensors(blocks, scales, dtype=torch.float32)
    return numbers.transpose(1, 2).reshape(*scales.shape, 32).contiguous()


def main():
    FOLDER.mkdir(parents=True, exist_ok=True)
    random = torch.Generator().manual_seed(0)
    every = torch.arange(256, dtype=torch.uint8).reshape(16, 16)
    stored = {
        # Each byte under some scale, and each scale.
        "every_blocks": every[torch.arange(256) % 16].reshape(2, 128, 1, 16),
        "every_scales": torch.arange(256, dtype=torch.uint8).reshape(2, 128, 1),
        "some_blocks": torch.randint(0, 256, (3, 5, 7, 16), generator=random, dtype=torch.uint8),
        "some_scales": torch.randint(100, 150, (3, 5, 7), generator=random, dtype=torch.uint8),
    }
    plain = {
        f"{name}_blocks": dequantised(stored[f"{name}_blocks"], stored[f"{name}_scales"])
        for name in ("every", "some")
    }
    save_file(stored, FOLDER / "coded.safetensors")
    save_file(plain, FOLDER / "dequantized.safetensors")


if __name__ == "__main__":
    main()
