"""Writes Fixtures/containers/torch: python Tools/oracle/torch_files.py

`good/` are files that torch wrote, or reads; `manifest.json` says what is in them, as torch sees it.
`bad/` are files that must be refused, each named after its fault: pickles and archives made by hand.
Everything is seeded: a second run writes the same bytes, but for the keys of storages in the form before 1.6 (addresses)
and what TorchScript calls its constants.
"""

import argparse
import collections
import io
import json
import pickle
import shutil
import struct
import sys
import types
import zipfile
from pathlib import Path

import torch

ROOT = Path(__file__).resolve().parents[2] / "Fixtures" / "containers" / "torch"
MANIFEST: dict[str, dict] = {}
NAMES = {
    torch.bool: "BOOL", torch.uint8: "U8", torch.int8: "I8", torch.int16: "I16", torch.uint16: "U16",
    torch.int32: "I32", torch.uint32: "U32", torch.int64: "I64", torch.uint64: "U64",
    torch.float16: "F16", torch.bfloat16: "BF16", torch.float32: "F32", torch.float64: "F64",
    torch.complex64: "C64", torch.complex128: "C128", torch.float8_e4m3fn: "F8_E4M3",
    torch.float8_e5m2: "F8_E5M2", torch.float8_e8m0fnu: "F8_E8M0",
    torch.float8_e4m3fnuz: "F8_E4M3FNUZ", torch.float8_e5m2fnuz: "F8_E5M2FNUZ",
    torch.float4_e2m1fn_x2: "F4",
}


def described(name: str, tensor: torch.Tensor) -> dict:
    tensor = tensor.detach()
    shape = list(tensor.shape)
    if tensor.dtype == torch.float4_e2m1fn_x2:
        shape[-1] *= 2
    data = gathered(tensor, tensor.element_size())
    return {"name": name, "dtype": NAMES[tensor.dtype], "shape": shape, "bytes": data.hex()}


def gathered(tensor: torch.Tensor, width: int) -> bytes:
    """The elements in C order, gathered from the storage one by one."""
    storage = bytes(tensor.untyped_storage())
    places = [tensor.storage_offset()]
    for extent, stride in zip(tensor.shape, tensor.stride()):
        places = [place + index * stride for place in places for index in range(extent)]
    return b"".join(storage[place * width : (place + 1) * width] for place in places)


def put(path: str, data: bytes) -> None:
    assert len(data) < 20_000, (path, len(data))
    target = ROOT / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(data)


def saved(value, **options) -> bytes:
    buffer = io.BytesIO()
    torch.save(value, buffer, **options)
    return buffer.getvalue()


def good(name: str, data: bytes, tensors: dict, others: list[str] = (), prefix: str | None = None) -> None:
    put(f"good/{name}", data)
    MANIFEST[name] = {
        "tensors": [described(n, t) for n, t in tensors.items()],
        "others": list(others),
        "prefix": prefix,
    }


def members(data: bytes) -> dict[str, bytes]:
    archive = zipfile.ZipFile(io.BytesIO(data))
    return {info.filename: archive.read(info) for info in archive.infolist()}


def zipped(files: dict[str, bytes], method=zipfile.ZIP_STORED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), data, method)
    return buffer.getvalue()


# Good files


def random(*shape, dtype=torch.float32):
    count = 1
    for extent in shape:
        count *= extent
    width = torch.empty(0, dtype=dtype).element_size()
    raw = torch.randint(0, 2 if dtype == torch.bool else 256, (count * width,), dtype=torch.uint8)
    return torch.frombuffer(bytearray(raw.tolist()), dtype=dtype).reshape(shape)


class Tagged(torch.Tensor):
    """A subclass, which torch saves with its class."""


class Block(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.proj = torch.nn.Linear(2, 3)
        self.norm = torch.nn.BatchNorm1d(2)

    def forward(self, x):
        return self.proj(self.norm(x))


def views() -> dict:
    base = torch.arange(24, dtype=torch.float32)
    grid = base.reshape(4, 6)
    return {
        "whole": grid, "tied": grid, "transposed": grid.t(), "slice": grid[1:3, 2:5],
        "steps": grid[::2, ::3], "permuted": base.reshape(2, 3, 4).permute(2, 0, 1),
        "expanded": base[3:5].reshape(2, 1).expand(2, 5), "windows": base.unfold(0, 6, 2),
        "scalar": base[7], "empty": grid[:, :0], "number": torch.tensor(3),
        "tail": base[20:], "column": grid[:, 1],
    }


def optimised() -> dict:
    model = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.Linear(3, 1))
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    model(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    return {"model": model.state_dict(), "optimizer": optimizer.state_dict()}


def flat(value, name="") -> dict:
    """The tensors in nested dictionaries and lists, by path."""
    if isinstance(value, torch.Tensor):
        return {name: value}
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, (list, tuple)) else ()
    result = {}
    for key, inner in items:
        result |= flat(inner, f"{name}.{key}" if name else str(key))
    return result


def make_good() -> None:
    dtypes = {str(dtype)[6:]: random(2, 2, dtype=dtype) for dtype in NAMES}
    good("dtypes.pt", saved(dtypes), dtypes)
    old = torch.storage._dtype_to_storage_type_map()
    dtypes = {name: tensor for name, tensor in dtypes.items() if tensor.dtype in old}
    good("dtypes_legacy.bin", saved(dtypes, _use_new_zipfile_serialization=False), dtypes)
    good("views.pt", saved(views()), views())
    good("views_legacy.bin", saved(views(), _use_new_zipfile_serialization=False), views())
    for protocol in (3, 4, 5):
        good(f"protocol_{protocol}.pt", saved(views(), pickle_protocol=protocol), views())
    state = optimised()
    extra = {"epoch": 3, "args": argparse.Namespace(lr=0.1, name="x"), "best": 0.5, "note": "text"}
    tensors = flat(state["model"]) | flat(state["optimizer"], "optimizer")
    others = ["optimizer.param_groups: a list of 1", "epoch: 3", "args: an object of argparse.Namespace",
              "best: 0.5", 'note: "text"']
    good("training.pth", saved(state | extra), tensors, others, "model.")
    good("training_legacy.pth", saved(state | extra, _use_new_zipfile_serialization=False), tensors, others, "model.")
    lightning = {"epoch": 1, "global_step": 10, "pytorch-lightning_version": "2.0", "state_dict": state["model"],
                 "loops": None, "callbacks": {}, "optimizer_states": [state["optimizer"]], "lr_schedulers": []}
    good("lightning.ckpt", saved(lightning),
         flat(state["model"]) | flat([state["optimizer"]], "optimizer_states"),
         ["epoch: 1", "global_step: 10", 'pytorch-lightning_version: "2.0"', "loops: None",
          "callbacks: a dictionary of 0", "optimizer_states.0.param_groups: a list of 1",
          "lr_schedulers: a list of 0"], "state_dict.")
    two = {"params": {"w": random(2)}, "params_ema": {"w": random(2)}}
    good("two_models.pth", saved(two), flat(two))
    nested = {"a": [random(1), {"b": random(2), 3: random(1)}], "t": (random(1), 5), True: random(1)}
    good("nested.pt", saved(nested), flat(nested), ["t.1: 5"])
    alone = random(3)
    good("tensor.pt", saved(alone[1:]), {"tensor": alone[1:]})
    block = Block()
    sys.modules["blocks"] = types.ModuleType("blocks")
    Block.__module__ = Tagged.__module__ = "blocks"
    sys.modules["blocks"].Block, sys.modules["blocks"].Tagged = Block, Tagged
    good("module.pt", saved(block), block.state_dict(), [
        "proj.in_features: 2", "proj.out_features: 3", "norm.num_features: 2", "norm.eps: 1e-05",
        "norm.momentum: 0.1", "norm.affine: True", "norm.track_running_stats: True"])
    tagged = random(2, 3).as_subclass(Tagged)
    tagged.note = "kept"
    parameters = {"p": torch.nn.Parameter(random(2, 2)), "b": torch.nn.Buffer(random(2)), "t": tagged}
    good("parameters.pt", saved(parameters), parameters)
    scripted = torch.jit.script(Block())
    buffer = io.BytesIO()
    torch.jit.save(scripted, buffer)
    names = members(buffer.getvalue())
    code = [f"{n}: a member of the archive that is not read" for n in names if n.endswith("constants.pkl")]
    code.append(f"archive/code/: a program in {sum('/code/' in n for n in names)} members, not read")
    good("script.pt", buffer.getvalue(), scripted.state_dict(), code)
    quantised = torch.quantize_per_tensor(torch.randn(2, 3), 0.1, 3, torch.quint8)
    rows = torch.quantize_per_channel(
        torch.randn(2, 3), torch.tensor([0.1, 0.2], dtype=torch.float64), torch.tensor([1, 2]), 0, torch.qint8)
    good("quantised.pt", saved({"q": quantised, "r": rows}), {
        "q": quantised.int_repr(), "q.q_scale": torch.tensor(0.1, dtype=torch.float64),
        "q.q_zero_point": torch.tensor(3), "r": rows.int_repr(),
        "r.q_per_channel_scales": rows.q_per_channel_scales(),
        "r.q_per_channel_zero_points": rows.q_per_channel_zero_points(),
        "r.q_per_channel_axis": torch.tensor(0)})
    torch.serialization.set_crc32_options(False)
    good("no_checksums.pt", saved(views()), views())
    torch.serialization.set_crc32_options(True)
    files = members(saved(views()))
    good("deflated.pt", zipped(files, zipfile.ZIP_DEFLATED), views())
    # As a machine with the other byte order writes it; torch swaps it back.
    some = {"f": random(2, 3), "h": random(3, dtype=torch.bfloat16), "c": random(2, dtype=torch.complex64),
            "l": torch.arange(6).reshape(2, 3).t()}
    files = members(saved(some))
    files["archive/byteorder"] = b"big"
    for key, tensor in enumerate(some.values()):
        width = 4 if tensor.is_complex() else tensor.element_size()
        raw = files[f"archive/data/{key}"]
        files[f"archive/data/{key}"] = b"".join(raw[i : i + width][::-1] for i in range(0, len(raw), width))
    swapped = zipped(files)
    loaded = torch.load(io.BytesIO(swapped), weights_only=True)
    assert all(torch.equal(loaded[name].view(torch.uint8) if name == "h" else loaded[name],
                           some[name].view(torch.uint8) if name == "h" else some[name]) or name == "c" for name in some)
    good("big_endian.pt", swapped, some)
    storage = random(3)
    old = collections.OrderedDict(w=storage)
    good("python_2.pt", zipped(members(saved(old)) | {"archive/data.pkl": python_2()}), {"w": storage, "x": storage[1:]})
    good("nothing.bin", saved({"lr": 0.1, "steps": [1, 2]}), {}, ["the whole of it: a dictionary of 2"])
    block.proj.register_buffer("table", random(2), persistent=False)
    block.proj.register_buffer("kept", random(2))
    unsaved = ["proj.in_features: 2", "proj.out_features: 3", "norm.num_features: 2", "norm.eps: 1e-05",
               "norm.momentum: 0.1", "norm.affine: True", "norm.track_running_stats: True"]
    for name, changes in [("unsaved_buffer.pt", {}), ("unsaved_buffer_legacy.pt", {"_use_new_zipfile_serialization": False}),
                          ("unsaved_buffer_4.pt", {"pickle_protocol": 4})]:
        # The older form also says where the code of modules lay: any place does.
        place = str(Path(torch.__file__).parents[1]).encode()
        data = saved(block, **changes).replace(place, b"/" + b"p" * (len(place) - 1))
        good(name, data, block.state_dict(),
             ["proj.table: a buffer that its module does not save", *unsaved])


def python_2() -> bytes:
    """An ordered dictionary as Python 2 wrote it, in protocol 0 with its texts."""
    def tensor(offset, count):
        return (b"ctorch._utils\n_rebuild_tensor\n((S'storage'\nctorch\nFloatStorage\nS'0'\nS'cpu'\nI3\ntQ"
                b"I%d\n(I%d\nt(I1\nttR" % (offset, count))
    return (b"ccollections\nOrderedDict\n((l(lS'w'\na" + tensor(0, 3) + b"aa(lVx\na" + tensor(1, 2)
            + b"aatR.")


# Bad files


def u(text: str) -> bytes:
    data = text.encode()
    return b"X" + struct.pack("<I", len(data)) + data


def pid(key="0", count=b"K\x04", cls=b"ctorch\nFloatStorage\n", tag="storage") -> bytes:
    return b"(" + u(tag) + cls + u(key) + u("cpu") + count + b"tQ"


def tensor(offset=b"K\0", shape=b"K\x04\x85", strides=b"K\x01\x85", storage=None, name="_rebuild_tensor_v2") -> bytes:
    return (b"ctorch._utils\n" + name.encode() + b"\n(" + (storage or pid()) + offset + shape + strides
            + b"\x89ccollections\nOrderedDict\n)RtR")


def state(value: bytes, name="w") -> bytes:
    return b"\x80\x02}(" + u(name) + value + b"u."


def archive(pkl: bytes, files: dict[str, bytes] | None = None, **changes) -> bytes:
    files = {"data/0": bytes(16)} if files is None else files
    whole = {"m/data.pkl": pkl, "m/byteorder": b"little"} | {f"m/{k}": v for k, v in files.items()}
    return zipped(whole | {"m/version": b"3\n"})


BIG = b"\x8a\x08" + struct.pack("<q", 1 << 62)
MINUS = b"J" + struct.pack("<i", -1)


def make_bad() -> None:
    def bad(name: str, data: bytes) -> None:
        put(f"bad/{name}.pt", data)

    def pkl(name: str, data: bytes, **options) -> None:
        bad(name, archive(data, **options))

    pkl("opcode_unknown", b"\x80\x02\xff.")
    pkl("escape_broken", b"\x80\x02}(V\\u12\nK\x01u.")
    pkl("protocol_6", b"\x80\x06}.")
    pkl("no_stop", b"\x80\x02}")
    pkl("empty_pickle", b"")
    pkl("stack_empty", b"\x80\x02.")
    pkl("tuple_without_values", b"\x80\x02\x87.")
    pkl("no_mark", b"\x80\x02}u.")
    pkl("mark_below_nothing", b"\x80\x02(u.")
    pkl("pop_through_mark", b"\x80\x02K\x01(R.")
    pkl("memo_missing", b"\x80\x02h\x07.")
    pkl("odd_pairs", b"\x80\x02}(K\x01u.")
    pkl("append_to_number", b"\x80\x02K\x01K\x02a.")
    pkl("set_item_of_list", b"\x80\x02]K\x01K\x02s.")
    pkl("build_number", b"\x80\x02K\x01}b.")
    pkl("extension", b"\x80\x02\x82\x01.")
    pkl("buffer_outside", b"\x80\x05\x97.")
    pkl("text_longer_than_file", b"\x80\x02X\xff\xff\xff\x7f.")
    pkl("text_64_bits", b"\x80\x04\x8d" + b"\xff" * 8 + b".")
    pkl("huge_number_missing", b"\x80\x02\x8b\xff\xff\xff\x7f1.")
    pkl("number_is_none", b"I12x\n.")
    pkl("class_not_utf8", b"cos\xff\nx\n.")
    pkl("class_is_number", b"\x80\x04K\x01K\x02\x93.")
    pkl("bytes_behind", state(tensor()) + b"more")
    pkl("storage_missing", state(tensor(storage=pid("9"))))
    pkl("storage_outside", state(tensor(storage=pid("../../etc/passwd"))))
    pkl("storage_size", state(tensor(storage=pid(count=b"K\x05"))))
    pkl("storage_negative", state(tensor(storage=pid(count=MINUS))))
    pkl("storage_overflow", state(tensor(storage=pid(count=BIG))))
    pkl("storage_class", state(tensor(storage=pid(cls=b"cos\nsystem\n"))))
    pkl("storage_two_ways", state(b"]" + tensor() + b"a" + tensor(
        storage=pid(count=b"K\x02", cls=b"ctorch\nDoubleStorage\n")) + b"a"))
    pkl("storage_is_text", state(tensor(storage=u("0"))))
    pkl("persistent_text", state(tensor(storage=b"Pstorage\n")))
    pkl("offset_negative", state(tensor(offset=MINUS)))
    pkl("offset_beyond", state(tensor(offset=b"K\x01")))
    pkl("stride_negative", state(tensor(strides=MINUS + b"\x85")))
    pkl("stride_beyond", state(tensor(strides=b"K\x02\x85")))
    pkl("stride_overflow", state(tensor(strides=BIG + b"\x85")))
    pkl("shape_negative", state(tensor(shape=MINUS + b"\x85")))
    pkl("shape_overflow", state(tensor(shape=BIG + BIG + b"\x86", strides=b"K\0K\0\x86")))
    pkl("shape_is_text", state(tensor(shape=u("4"))))
    pkl("shape_without_stride", state(tensor(strides=b")")))
    pkl("rank_65", state(tensor(shape=b"(" + b"K\x01" * 65 + b"t", strides=b"(" + b"K\x01" * 65 + b"t")))
    pkl("expanded_bomb", state(tensor(shape=b"\x8a\x06\0\0\0\0\0\x01\x85", strides=b"K\0\x85")))
    pkl("call_without_arguments", state(b"ctorch._utils\n_rebuild_tensor_v2\n)R"))
    pkl("dtype_unknown", state(
        b"ctorch._utils\n_rebuild_tensor_v3\n(" + pid() + b"K\0K\x04\x85K\x01\x85\x89)ctorch\nbits16\ntR"))
    pkl("sparse", state(b"ctorch._utils\n_rebuild_sparse_tensor\n(K\0)tR"))
    pkl("meta", state(b"ctorch._utils\n_rebuild_meta_tensor_no_storage\n(K\0)tR"))
    pkl("conjugate", state(
        b"ctorch._utils\n_rebuild_tensor_v2\n(" + pid() + b"K\0K\x04\x85K\x01\x85\x89)}" + u("conj") + b"\x88stR"))
    pkl("quantised_unknown", state(
        b"ctorch._utils\n_rebuild_qtensor\n(" + pid(cls=b"ctorch\nQUInt8Storage\n", count=b"K\x10")
        + b"K\0K\x04\x85K\x01\x85(ctorch\nper_channel_x\nt\x89)tR"))
    pkl("name_not_utf8", b"\x80\x02}X\x01\0\0\0\xff" + tensor() + b"s.")
    pkl("half_of_a_pair", b"\x80\x02}V\\ud800\n" + tensor() + b"s.")
    pkl("name_twice", b"\x80\x02}(" + u("1") + tensor() + b"K\x01" + tensor() + b"u.")
    pkl("key_is_tuple", b"\x80\x02}" + b")" + tensor() + b"s.")
    # A name for every one of 2^40 paths.
    pkl("laughs", b"\x80\x02]" + tensor() + b"a" + b"".join(
        b"q%c0]h%cah%ca" % (n, n, n) for n in range(40)) + b".")
    pkl("deep", b"\x80\x02" + b"]" * 2000 + tensor() + b"a" * 2000 + b".")
    bad("no_pickle", zipped({"m/data.pkx": b"", "m/data/0": b"", "m/data.pkl/x": b""}))
    bad("byte_order", zipped({"m/data.pkl": state(tensor()), "m/byteorder": b"middle", "m/data/0": bytes(16)}))
    bad("two_folders", zipped({"n/data/0": bytes(16), "m/data.pkl": state(tensor()), "m/data/0": bytes(16)}))
    checksum = bytearray(archive(state(tensor())))
    checksum[checksum.index(b"ctorch._utils") + 3] ^= 1
    bad("pickle_changed", bytes(checksum))
    # A text that is passed over, since it is no tensor.
    text = bytearray(archive(b"\x80\x02}(" + u("w") + tensor() + u("note") + u("x" * 5000) + b"u."))
    text[text.index(b"xxxx") + 2500] ^= 1
    bad("long_text_changed", bytes(text))
    changed = bytearray(archive(state(tensor())))
    changed[changed.index(bytes(16))] ^= 1
    bad("storage_changed", bytes(changed))

    def legacy(name: str, obj: bytes = state(tensor()), keys=("0",), storages=None, version=1001) -> None:
        data = pickle.dumps(0x1950A86A20F9469CFC6C, 2) + pickle.dumps(version, 2) + pickle.dumps({}, 2) + obj
        data += pickle.dumps(list(keys), 2) + (struct.pack("<q", 4) + bytes(16) if storages is None else storages)
        bad("legacy_" + name, data)

    old = state(tensor(storage=b"(" + u("storage") + b"ctorch\nFloatStorage\n" + u("0") + u("cpu") + b"K\x04NtQ"))
    legacy("version", old, version=1002)
    legacy("missing", old, keys=(), storages=b"")
    legacy("twice", old, keys=("0", "0"), storages=(struct.pack("<q", 4) + bytes(16)) * 2)
    legacy("unknown_key", old, keys=("0", "1"))
    legacy("cut_off", old, storages=struct.pack("<q", 4) + bytes(15))
    legacy("no_count", old, storages=b"\4\0")
    legacy("other_count", old, storages=struct.pack("<q", 5) + bytes(20))
    legacy("behind", old, storages=struct.pack("<q", 4) + bytes(17))
    legacy("view_beyond", state(tensor(
        storage=b"(" + u("storage") + b"ctorch\nFloatStorage\n" + u("0") + u("cpu") + b"K\x04" + u("1")
        + b"K\x01K\x04\x87tQ")))


def main() -> None:
    shutil.rmtree(ROOT, ignore_errors=True)
    torch.manual_seed(20261128)
    make_good()
    make_bad()
    (ROOT / "manifest.json").write_text(json.dumps(MANIFEST, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
