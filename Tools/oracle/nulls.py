"""Which keys of a config are null when nobody has set them: `Fixtures/configs/nulls.json`.

    .build/oracle/bin/python Tools/oracle/nulls.py Fixtures/configs/nulls.json

For each architecture that tfkit knows, the keys that transformers' own config class has as None, if it has one.
"""

import json
import subprocess
import sys
from pathlib import Path

from transformers.models.auto.configuration_auto import CONFIG_MAPPING

ROOT = Path(__file__).resolve().parents[2]
TFCONVERT = ROOT / ".build" / "release" / "tfconvert"

names = subprocess.run([TFCONVERT, "list", "architectures"], check=True, capture_output=True, text=True)
nulls = {}
for name in names.stdout.split():
    defaults = CONFIG_MAPPING[name]().to_dict() if name in CONFIG_MAPPING else {"architectures": None}
    nulls[name] = sorted(key for key, value in defaults.items() if value is None)
Path(sys.argv[1]).parent.mkdir(exist_ok=True)
Path(sys.argv[1]).write_text(json.dumps(nulls, indent=0) + "\n")
