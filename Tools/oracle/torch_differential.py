"""Random state dicts through tfconvert, there and back: python Tools/oracle/torch_differential.py [COUNT] [SEED]

Each is saved by torch (zip, or the form before 1.6), read by `torch.load(weights_only=True)`, and converted to
safetensors: names, types and bytes must be those of torch. The safetensors file is converted to a file of torch's,
which `torch.load(weights_only=True)` must read to the same, and back to safetensors, which must be the same file.
Tensors of one storage must still be one when torch's file is converted to torch's file.
"""

import collections
import random
import subprocess
import sys
import tempfile
from pathlib import Path

import torch
from safetensors import safe_open

TOOL = Path(__file__).resolve().parents[2] / ".build" / "release" / "tfconvert"
DTYPES = [
    torch.float32, torch.float16, torch.bfloat16, torch.float64, torch.int8, torch.uint8, torch.int16,
    torch.int32, torch.int64, torch.bool, torch.complex64, torch.float8_e4m3fn, torch.float8_e5m2,
    torch.uint16, torch.uint32, torch.uint64,
]
LEGACY = set(torch.storage._dtype_to_storage_type_map())


def base(rng: random.Random, dtype: torch.dtype, count: int) -> torch.Tensor:
    if dtype == torch.bool:
        return torch.tensor([rng.random() < 0.5 for _ in range(count)], dtype=torch.bool)
    raw = bytearray(rng.randbytes(count * torch.empty(0, dtype=dtype).element_size()))
    return torch.frombuffer(raw, dtype=dtype) if count else torch.empty(0, dtype=dtype)


def tensor(rng: random.Random, dtypes: list, known: list) -> torch.Tensor:
    """A new tensor, one that is there already, or a view of one."""
    if known and rng.random() < 0.4:
        old = rng.choice(known)
        if rng.random() < 0.4:
            return old
        size = old.untyped_storage().nbytes() // old.element_size()
        rank = rng.randint(0, 3)
        for _ in range(20):
            shape = [rng.randint(0 if rng.random() < 0.1 else 1, 4) for _ in range(rank)]
            strides = [rng.choice([0, 1, 1, 2, 3, 4, 5, 12]) for _ in range(rank)]
            offset = rng.randint(0, size)
            if all(shape) and offset + sum((e - 1) * s for e, s in zip(shape, strides)) >= size:
                continue
            return torch.empty(0, dtype=old.dtype).set_(old.untyped_storage(), offset, shape, strides)
        return old
    shape = [rng.randint(1, 5) for _ in range(rng.randint(0, 4))]
    if rng.random() < 0.05:
        shape = shape + [0]
    count = 1
    for extent in shape:
        count *= extent
    new = base(rng, rng.choice(dtypes), count).reshape(shape)
    if new.dim() > 1 and rng.random() < 0.3:
        new = new.permute(*rng.sample(range(new.dim()), new.dim()))
    if rng.random() < 0.2 and new.is_floating_point() and new.element_size() > 1:
        new = torch.nn.Parameter(new)
    known.append(new)
    return new


def value(rng: random.Random, dtypes: list, known: list, depth: int):
    roll = rng.random()
    if depth == 0 or roll < 0.6:
        return tensor(rng, dtypes, known)
    if roll < 0.7:
        return rng.choice([1, -1, 2**40, 0.5, True, None, "text", (1, 2)])
    if roll < 0.8:
        return [value(rng, dtypes, known, depth - 1) for _ in range(rng.randint(0, 3))]
    made = collections.OrderedDict() if rng.random() < 0.5 else {}
    for number in range(rng.randint(0, 5)):
        key = number if rng.random() < 0.2 else rng.choice("abcdefgh") + rng.choice(["", ".w", "é", "_1"])
        made[key] = value(rng, dtypes, known, depth - 1)
    return made


def flat(thing, name="") -> list:
    if isinstance(thing, torch.Tensor):
        return [(name, thing)]
    items = thing.items() if isinstance(thing, dict) else enumerate(thing) if isinstance(thing, (list, tuple)) else ()
    return [pair for key, inner in items for pair in flat(inner, f"{name}.{key}" if name else str(key))]


def content(tensor: torch.Tensor) -> tuple:
    plain = tensor.detach().contiguous()
    raw = b""
    if plain.numel():
        own = torch.empty(0, dtype=torch.uint8).set_(
            plain.untyped_storage(), plain.storage_offset() * plain.element_size(),
            [plain.numel() * plain.element_size()], [1])
        raw = bytes(own.tolist())
    return tensor.dtype, tuple(tensor.shape), raw


def convert(*arguments) -> None:
    result = subprocess.run([TOOL, *map(str, arguments)], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr


def opened(path: Path) -> dict:
    with safe_open(path, "pt") as file:
        return {name: content(file.get_tensor(name)) for name in file.keys()}


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    done = tensors = 0
    for number in range(seed, seed + count):
        rng = random.Random(number)
        legacy = rng.random() < 0.3
        dtypes = [dtype for dtype in DTYPES if not legacy or dtype in LEGACY]
        known: list = []
        state = {f"n{index}": value(rng, dtypes, known, 3) for index in range(rng.randint(1, 8))}
        pairs = flat(state)
        if not pairs or len({name for name, _ in pairs}) < len(pairs):
            continue
        with tempfile.TemporaryDirectory() as folder:
            folder = Path(folder)
            torch.save(state, folder / "a.pt", _use_new_zipfile_serialization=not legacy)
            expected = {n: content(t) for n, t in flat(torch.load(folder / "a.pt", weights_only=True))}
            convert(folder / "a.pt", folder / "b.safetensors")
            assert opened(folder / "b.safetensors") == expected, f"reading, seed {number}"
            convert(folder / "b.safetensors", folder / "c.pth")
            back = torch.load(folder / "c.pth", weights_only=True)
            assert {n: content(t) for n, t in back.items()} == expected, f"writing, seed {number}"
            convert(folder / "c.pth", folder / "d.safetensors")
            same = (folder / "b.safetensors").read_bytes() == (folder / "d.safetensors").read_bytes()
            assert same, f"there and back, seed {number}"
            convert(folder / "a.pt", folder / "e.bin")
            again = torch.load(folder / "e.bin", weights_only=True)
            assert {n: content(t) for n, t in again.items()} == expected, f"torch to torch, seed {number}"
            whole = {}
            for name, tensor in flat(torch.load(folder / "a.pt", weights_only=True)):
                size = tensor.numel() * tensor.element_size()
                if tensor.is_contiguous() and size and size == tensor.untyped_storage().nbytes():
                    whole.setdefault(tensor.data_ptr(), []).append(name)
            for names in whole.values():
                assert len({again[name].data_ptr() for name in names}) == 1, f"ties, seed {number}"
        done += 1
        tensors += len(pairs)
    print(f"{done} state dicts of {count} with {tensors} tensors, from seed {seed}: all as torch has them")


if __name__ == "__main__":
    main()
