"""Writes Fixtures/containers/deepspeed: python Tools/oracle/deepspeed_files.py

`good/` are checkpoints that DeepSpeed (0.19.8, on CPUs, gloo) wrote after two steps of training in several processes;
`manifest.json` says what is in them, as DeepSpeed's own zero_to_fp32.py puts it together. `bad/` are such folders with a fault
after which each is named. Seeded: a second run writes the same numbers.
"""

import importlib
import json
import os
import shutil
import sys
from pathlib import Path

os.environ["DS_ACCELERATOR"] = "cpu"

import torch
import torch.multiprocessing as mp

from torch_files import described

ROOT = Path(__file__).resolve().parents[2] / "Fixtures" / "containers" / "deepspeed"


class Model(torch.nn.Module):
    """Weights of odd sizes, buffers, a frozen weight, and one that two modules share."""

    def __init__(self):
        super().__init__()
        self.up = torch.nn.Linear(3, 5)
        self.norm = torch.nn.BatchNorm1d(5)
        self.down = torch.nn.Linear(5, 4, bias=False)
        self.again = torch.nn.Linear(5, 4, bias=False)
        self.again.weight = self.down.weight
        self.frozen = torch.nn.Linear(4, 3)
        self.frozen.weight.requires_grad = False

    def forward(self, x):
        x = self.up(x)
        return self.frozen(self.down(x) + self.again(x)).sum()


CASES = {
    "stage1_bf16": (1, 3, True), "stage2": (2, 2, False), "stage2_bf16": (2, 3, True), "stage3": (3, 2, False),
    "stage3_bf16": (3, 3, True),
}


def work(rank: int, name: str) -> None:
    stage, world, half = CASES[name]
    os.environ.update(
        MASTER_ADDR="127.0.0.1", MASTER_PORT="29633", RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE=str(world),
        LOCAL_SIZE=str(world))
    import deepspeed

    # Compiled for shared memory, and not needed.
    importlib.import_module("deepspeed.comm.torch").build_shm_op = lambda: None
    deepspeed.init_distributed(dist_backend="gloo")
    torch.manual_seed(list(CASES).index(name))
    model = Model()
    trained = [p for p in model.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in trained if p.dim() > 1]},
        {"params": [p for p in trained if p.dim() == 1], "weight_decay": 0.0},
    ]
    engine, *_ = deepspeed.initialize(
        model=model, optimizer=torch.optim.AdamW(groups, lr=1e-2),
        config={
            "train_micro_batch_size_per_gpu": 2, "bf16": {"enabled": half},
            "zero_optimization": {"stage": stage, "stage3_param_persistence_threshold": 0},
            "zero_allow_untested_optimizer": True, "zero_force_ds_cpu_optimizer": False,
        })
    x = torch.ones(2, 3, dtype=torch.bfloat16 if half else torch.float32)
    for step in range(2):
        engine.backward(engine(x * (rank + step + 1)))
        engine.step()
    engine.save_checkpoint(str(ROOT / "good" / name), tag="global_step2")


def read(name: str) -> dict:
    from deepspeed.utils.zero_to_fp32 import get_fp32_state_dict_from_zero_checkpoint

    state = get_fp32_state_dict_from_zero_checkpoint(str(ROOT / "good" / name))
    return {"tensors": [described(key, tensor) for key, tensor in state.items()]}


def write_bad() -> None:
    def bad(name: str, file: str, change, case: str = "stage2") -> None:
        folder = ROOT / "bad" / name
        shutil.copytree(ROOT / "good" / case / "global_step2", folder)
        value = torch.load(folder / file, weights_only=False)
        change(value)
        torch.save(value, folder / file)

    model, first, second = (
        "mp_rank_00_model_states.pt", "zero_pp_rank_0_mp_rank_00_optim_states.pt",
        "zero_pp_rank_1_mp_rank_00_optim_states.pt")
    state = lambda v: v["optimizer_state_dict"]
    vectors = "single_partition_of_fp32_groups"
    size = torch.Size
    bad("no_buffers", model, lambda v: v.pop("buffer_names"))
    bad("no_shapes", model, lambda v: v.pop("param_shapes"))
    bad("shapes_are_texts", model, lambda v: v.update(param_shapes=[{"up.weight": "5x3"}, {}]))
    bad("shape_too_large", model, lambda v: v["param_shapes"][0].update({"up.weight": size([5, 300])}))
    bad("shape_wraps", model, lambda v: v["param_shapes"][0].update({"up.weight": size([1 << 62, 4, 4])}))
    bad("shape_too_small", model, lambda v: v["param_shapes"][0].update({"up.weight": size([1, 1])}))
    bad("group_missing", model, lambda v: v["param_shapes"].pop())
    bad("fragment_missing", model, lambda v: v["frozen_param_fragments"].clear())
    bad("fragment_too_small", model, lambda v: v["frozen_param_shapes"].update({"frozen.weight": size([30, 4])}))
    bad("model_parallel", model, lambda v: v.update(mp_world_size=2))
    bad("no_stage", first, lambda v: state(v).pop("zero_stage"))
    bad("stage_unknown", first, lambda v: state(v).update(zero_stage=4))
    bad("no_count", first, lambda v: state(v).pop("partition_count"))
    bad("count_too_large", first, lambda v: state(v).update(partition_count=[3, 2]))
    bad("count_negative", first, lambda v: state(v).update(partition_count=-1))
    bad("no_vectors", second, lambda v: state(v).pop(vectors))
    bad("vector_of_half", second, lambda v: state(v)[vectors].__setitem__(0, state(v)[vectors][0].half()))
    bad("vectors_fewer", second, lambda v: state(v)[vectors].pop())
    bad("other_stage", second, lambda v: state(v).update(zero_stage=1))
    bad("vector_short", "zero_pp_rank_1_mp_rank_00_optim_states.pt",
        lambda v: state(v)["fp32_flat_groups"].__setitem__(0, state(v)["fp32_flat_groups"][0][1:].clone()), "stage3")
    bad("share_too_large", "zero_pp_rank_0_mp_rank_00_model_states.pt",
        lambda v: v["param_shapes"][0].update({"up.weight": size([5, 300])}), "stage3")
    bad("share_too_small", "zero_pp_rank_0_mp_rank_00_model_states.pt",
        lambda v: v["param_shapes"][0].update({"up.weight": size([1, 1])}), "stage3")


def main() -> None:
    for name in ["good", "bad"]:
        shutil.rmtree(ROOT / name, ignore_errors=True)
    for name, (_, world, _) in CASES.items():
        mp.spawn(work, (name,), nprocs=world)
        for program in ["zero_to_fp32.py", "zero_to_torch.py"]:
            (ROOT / "good" / name / program).unlink(missing_ok=True)
    manifest = {name: read(name) for name in CASES}
    lines = ",\n".join(f"  {json.dumps(name)}: {json.dumps(facts)}" for name, facts in manifest.items())
    (ROOT / "manifest.json").write_text("{\n" + lines + "\n}\n")
    write_bad()


if __name__ == "__main__":
    sys.exit(main())
