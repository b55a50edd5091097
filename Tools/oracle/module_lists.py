"""Writes Fixtures/codecs/module_lists.json: python Tools/oracle/module_lists.py [FILE]

For each pattern of modules as compressed-tensors' `ignore` and `targets` have them, which names it names, by compressed-tensors
0.20.1's own `match_name`; null where Python cannot read it. With a file, patterns are random, of the seed 7, and go there.
"""

import json
import random
import re
import sys
from pathlib import Path

from compressed_tensors.utils.match import match_name

FIXTURE = Path(__file__).parents[2] / "Fixtures/codecs/module_lists.json"
NAMES = [
    "lm_head", "model.embed_tokens", "model.layers.0.self_attn.q_proj", "model.layers.10.self_attn.k_proj",
    "model.layers.1.mlp.gate", "model.layers.1.mlp.gate_proj", "model.layers.2.mlp.experts.17.down_proj",
    "model.layers.2.mlp.shared_expert_gate", "visual.blocks.3.attn.qkv", "model.vision_tower.layers.1.fc1",
    "", "Linear", "model.layers.0.Mlp.Gate_proj", "mtp.0.proj",
]
TARGETS = [
    "lm_head", "lm", "Linear", "self_attn", "re:.*lm_head", "re:lm", "re:head", "re:.*head$", "re:^visual", "re:visual.*",
    "re:.*mlp.gate$", "re:.*mlp\\.gate", "re:.*", "re:", "re:.*\\.(q|k|v)_proj", "re:model\\.layers\\.[0-9]\\.self_attn.*",
    "re:.*layers\\.\\d+\\.mlp\\.(?:gate|up)_proj$", "re:(?!.*experts).*_proj", "re:.*self_attn|lm_head", "re:(?i).*gate_PROJ",
    "re:.*experts\\.\\d{2}\\.", "re:.*?\\.fc[12]\\Z", "re:x*", "re:[^.]+$", "re:.*(?<=shared_)expert", "re:mtp.*", "re:m(odel|tp)\\b",
    "re:(?P<layer>model)", "re:(a)\\1", "re:(", "re:a)|(b", "re:[", "re:*x", "re:.*re:", "re: lm_head", "re:lm_head|", "re:\\w+\\.\\w+$",
]
PARTS = ["model", "layers", "mlp", "gate", "proj", "\\.", ".*", ".", "\\d+", "[0-9]", "(?:q|k)_proj", "(q|v)", "self_attn", "$", "^", "_", "?",
         "+", "lm_head", "|", ".*?", "[a-z_]+", "(?=.*proj)", "(?!model)", "{1,2}"]


def named(target: str):
    try:
        return [name for name in NAMES if match_name(name, target)]
    except re.error:
        return None


def main() -> None:
    path, targets = FIXTURE, TARGETS
    if len(sys.argv) > 1:
        choice = random.Random(7)
        path = Path(sys.argv[1])
        targets = sorted({"re:" + "".join(choice.choices(PARTS, k=choice.randint(1, 6))) for _ in range(3000)})
    golden = {"names": NAMES, "named": {target: named(target) for target in targets}}
    path.write_text(json.dumps(golden, indent=0) + "\n")


if __name__ == "__main__":
    main()
