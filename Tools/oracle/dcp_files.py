"""Writes Fixtures/containers/dcp: python Tools/oracle/dcp_files.py

`good/` are folders that torch.distributed.checkpoint wrote, in one process and in several (gloo); `manifest.json` says what
is in them, as `torch.distributed.checkpoint.load` reads it. `bad/` are folders that must be refused, each named after its
fault: what torch wrote, with other metadata. Everything is seeded: a second run writes the same bytes.
"""

import contextlib
import json
import os
import pickle
import shutil
import sys
import warnings
from pathlib import Path

import torch
import torch.distributed as dist
import torch.distributed.checkpoint as dcp
import torch.multiprocessing as mp
from torch.distributed.checkpoint import FileSystemReader, FileSystemWriter, filesystem
from torch.distributed.checkpoint.metadata import BytesStorageMetadata, ChunkStorageMetadata
from torch.distributed.checkpoint.state_dict import get_state_dict
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import Replicate, Shard, distribute_tensor

from torch_files import described, random

ROOT = Path(__file__).resolve().parents[2] / "Fixtures" / "containers" / "dcp"
warnings.simplefilter("ignore")


def save(state, name: str, **options) -> None:
    """Saves as `good/NAME`; what would be different in each run is fixed."""
    filesystem._generate_uuid = lambda: "0"
    writer = FileSystemWriter(f"good/{name}", sync_files=False, **options)
    dcp.save(state, storage_writer=writer, no_dist=not dist.is_initialized())


# One process


def plain(name: str) -> None:
    dtypes = [
        torch.bool, torch.uint8, torch.int8, torch.int16, torch.uint16, torch.int32, torch.uint32, torch.int64,
        torch.uint64, torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.complex64, torch.complex128,
        torch.float8_e4m3fn, torch.float8_e5m2,
    ]
    save({str(dtype).split(".")[1]: random(2, 3, dtype=dtype) for dtype in dtypes}, name)


def shapes(name: str) -> None:
    save({
        "scalar": random(), "none": torch.zeros(0, 3), "transposed": random(4, 3).t(), "slice": random(4, 6)[1:3, 2:5],
        "steps": random(6)[::2], "expanded": random(1, 3).expand(2, 3), "parameter": torch.nn.Parameter(random(2)),
        "name with spaces é": random(1),
    }, name)


def nested(name: str) -> None:
    """What a training loop saves: torch joins the keys by dots."""
    save({
        "model": {"embed.weight": random(3, 2), "blocks": [random(2), {"weight": random(2, 2)}]},
        "optim": {"state": {"embed.weight": {"exp_avg": random(3, 2), "step": random()}}, "param_groups": [{"lr": 0.1}]},
        "lr_scheduler": {"last_epoch": 3},
        "step": 7,
        "words": "seven steps",
    }, name)


def flat(name: str) -> None:
    """A model's state dict by itself, whose names begin as if there were a dictionary around it."""
    save({"model.embed.weight": random(3, 2), "model.norm.weight": random(2)}, name)


def two_models(name: str) -> None:
    save({"model": {"weight": random(2)}, "ema": {"weight": random(2)}}, name)


def many_files(name: str) -> None:
    save({f"t{index}": random(index + 1) for index in range(4)}, name, single_file_per_rank=False)


# Several processes


def rows(name: str) -> None:
    mesh = init_device_mesh("cpu", (2,))
    save({
        "even": distribute_tensor(random(4, 3), mesh, [Shard(0)]),
        "uneven": distribute_tensor(random(5, 3), mesh, [Shard(0)]),
        "one": distribute_tensor(random(1, 3), mesh, [Shard(0)]),
        "columns": distribute_tensor(random(3, 5), mesh, [Shard(1)]),
        "middle": distribute_tensor(random(2, 4, 3), mesh, [Shard(1)]),
        "everywhere": distribute_tensor(random(2, 3), mesh, [Replicate()]),
        "plain": random(2),
    }, name)


def mesh(name: str) -> None:
    mesh = init_device_mesh("cpu", (2, 2), mesh_dim_names=("a", "b"))
    save({
        "grid": distribute_tensor(random(5, 6), mesh, [Shard(0), Shard(1)]),
        "turned": distribute_tensor(random(3, 5), mesh, [Shard(1), Shard(0)]),
        "twice": distribute_tensor(random(7, 2), mesh, [Shard(0), Shard(0)]),
        "inner": distribute_tensor(random(2, 3, 4), mesh, [Shard(1), Shard(2)]),
        "copies": distribute_tensor(random(4, 2), mesh, [Replicate(), Shard(0)]),
        "half": distribute_tensor(random(3, 4, dtype=torch.bfloat16), mesh, [Shard(1), Replicate()]),
    }, name)


def fsdp2(name: str) -> None:
    """A model that was trained a step, with the state of its optimiser."""
    mesh = init_device_mesh("cpu", (2,))
    model = torch.nn.Sequential(torch.nn.Linear(3, 5), torch.nn.Linear(5, 2, bias=False))
    for layer in model:
        fully_shard(layer, mesh=mesh)
    fully_shard(model, mesh=mesh)
    optimizer = torch.optim.AdamW(model.parameters())
    model(torch.ones(2, 3)).sum().backward()
    optimizer.step()
    weights, state = get_state_dict(model, optimizer)
    save({"model": weights, "optimizer": state, "epoch": 1}, name)


CASES = {
    plain: 1, shapes: 1, nested: 1, flat: 1, two_models: 1, many_files: 1, rows: 2, mesh: 4, fsdp2: 2,
}
PREFIXES = {"nested": "model.", "fsdp2": "model."}


def work(rank: int, case, world: int) -> None:
    os.chdir(ROOT)
    torch.manual_seed(list(CASES).index(case))
    if world > 1:
        os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT="29611")
        dist.init_process_group("gloo", rank=rank, world_size=world)
    case(case.__name__)
    if world > 1:
        dist.barrier()
        dist.destroy_process_group()


def read(name: str) -> dict:
    """What torch reads, under the names that it is given here."""
    folder = ROOT / "good" / name
    metadata = FileSystemReader(folder).read_metadata()
    state = {}
    others = []
    prefix = PREFIXES.get(name, "")
    for key, value in metadata.state_dict_metadata.items():
        own = key.removeprefix(prefix)
        if isinstance(value, BytesStorageMetadata):
            others.append(own)
        else:
            state[key] = torch.zeros(value.size, dtype=value.properties.dtype)
    dcp.load(state, checkpoint_id=folder, no_dist=True)
    return {
        "tensors": [described(key.removeprefix(prefix), tensor) for key, tensor in state.items()],
        "others": others, "prefix": prefix or None,
        "files": sorted(path.name for path in folder.iterdir() if path.name != ".metadata"),
    }


# Bad folders


@contextlib.contextmanager
def bad(name: str):
    """A copy of a small checkpoint, whose metadata is changed."""
    folder = ROOT / "bad" / name
    shutil.copytree(ROOT / "base", folder)
    path = folder / ".metadata"
    metadata = pickle.loads(path.read_bytes())
    yield metadata
    path.write_bytes(pickle.dumps(metadata))


def places(metadata):
    return {index.fqn: info for index, info in metadata.storage_data.items()}


def write_bad() -> None:
    os.chdir(ROOT)
    size = torch.Size
    with bad("offset_past_end") as m:
        places(m)["w"].offset = 1 << 40
    with bad("length_past_end") as m:
        places(m)["b"].length += 1
    with bad("offset_negative") as m:
        places(m)["w"].offset = -1
    with bad("end_wraps") as m:
        places(m)["w"].offset = (1 << 63) - 1
    with bad("length_too_small") as m:
        places(m)["w"].length = 23
    with bad("places_overlap") as m:
        places(m)["b"].offset = places(m)["w"].offset + 1
        places(m)["b"].length = 64
    with bad("same_place") as m:
        places(m)["b"].__dict__.update(places(m)["w"].__dict__)
    with bad("place_missing") as m:
        m.storage_data = {k: v for k, v in m.storage_data.items() if k.fqn != "w"}
    with bad("file_missing") as m:
        places(m)["w"].relative_path = "__9_0.distcp"
    with bad("leaves_folder") as m:
        places(m)["w"].relative_path = "../base/__0_0.distcp"
    with bad("compressed") as m:
        places(m)["w"].transform_descriptors = ["zstd"]
    tensors = lambda m: m.state_dict_metadata
    with bad("chunk_missing") as m:
        tensors(m)["w"].chunks = []
    with bad("chunks_have_gap") as m:
        tensors(m)["w"].size = size([3, 3])
    with bad("chunks_overlap") as m:
        chunk = tensors(m)["w"].chunks[0]
        tensors(m)["w"].size = size([3, 3])
        tensors(m)["w"].chunks = [chunk, ChunkStorageMetadata(size([1, 0]), size([1, 3]))]
        place = places(m)["w"]
        index = next(k for k in m.storage_data if k.fqn == "w")
        other = type(index)("w", size([1, 0]))
        m.storage_data[other] = type(place)(place.relative_path, place.offset, 12)
        place.offset, place.length = place.offset + 12, place.length - 12
    with bad("chunk_twice") as m:
        tensors(m)["w"].chunks *= 2
    with bad("chunk_outside") as m:
        tensors(m)["w"].chunks[0].sizes = size([2, 4])
    with bad("chunk_negative") as m:
        tensors(m)["w"].chunks[0].sizes = size([-2, -3])
    with bad("chunk_of_other_rank") as m:
        tensors(m)["w"].chunks[0].sizes = size([6])
    with bad("shape_wraps") as m:
        tensors(m)["w"].size = size([1 << 62, 4, 2])
    with bad("shape_rank_65") as m:
        tensors(m)["w"].size = size([1] * 65)
    with bad("dtype_unknown") as m:
        tensors(m)["w"].properties.dtype = torch.quint4x2
    with bad("tensor_is_text") as m:
        tensors(m)["w"] = "a text"
    with bad("name_is_number") as m:
        tensors(m)[7] = tensors(m)["w"]
    with bad("no_places") as m:
        m.storage_data = None
    with bad("places_are_cycle") as m:
        m.storage_data = {next(iter(m.storage_data)): m}
    with bad("tensors_are_cycle") as m:
        m.state_dict_metadata = {"w": m}
    with bad("chunk_has_other_shape") as m:
        tensors(m)["w"].size = size([3, 2])
        tensors(m)["w"].chunks[0].sizes = size([3, 2])
    with bad("chunk_has_other_dtype") as m:
        tensors(m)["w"].properties.dtype = torch.int32
    with bad("chunk_not_torchs"):
        pass
    path = ROOT / "bad" / "chunk_not_torchs" / "__0_0.distcp"
    path.write_bytes(bytes(len(path.read_bytes())))
    with bad("more_behind"):
        pass
    path = ROOT / "bad" / "more_behind" / ".metadata"
    path.write_bytes(path.read_bytes() + b"more")
    with bad("cut_off"):
        pass
    path = ROOT / "bad" / "cut_off" / ".metadata"
    path.write_bytes(path.read_bytes()[:-40])


def main() -> None:
    for name in ["good", "bad", "base"]:
        shutil.rmtree(ROOT / name, ignore_errors=True)
    ROOT.mkdir(parents=True, exist_ok=True)
    for case, world in CASES.items():
        mp.spawn(work, (case, world), nprocs=world)
    manifest = {case.__name__: read(case.__name__) for case in CASES}
    lines = ",\n".join(f"  {json.dumps(name)}: {json.dumps(facts)}" for name, facts in manifest.items())
    (ROOT / "manifest.json").write_text("{\n" + lines + "\n}\n")
    os.chdir(ROOT)
    torch.manual_seed(99)
    save({"w": random(2, 3), "b": random(2)}, "../base")
    write_bad()
    shutil.rmtree(ROOT / "base")


if __name__ == "__main__":
    sys.exit(main())
