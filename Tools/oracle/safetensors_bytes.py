"""A safetensors file from bytes, for types that no framework writes."""

import json
import struct


def safetensors_bytes(tensors):
    """The file that holds tensors, given as (name, dtype, shape, bytes), in that order."""
    header, position = {}, 0
    for name, dtype, shape, data in tensors:
        end = position + len(data)
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [position, end]}
        position = end
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + b"".join(data for *_, data in tensors)
