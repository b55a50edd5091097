"""What the benchmarks share: the machine in words, and their sections of docs/performance.md."""

import os
import platform
from pathlib import Path

PAGE = Path(__file__).resolve().parents[3] / "docs" / "performance.md"


def machine():
    name = platform.processor() or platform.machine()
    try:
        rows = Path("/proc/cpuinfo").read_text().splitlines()
        name = next(r.split(":", 1)[1].strip() for r in rows if r.startswith("model name"))
    except (OSError, StopIteration):
        pass
    return {"processor": name, "cores": os.cpu_count(), "load": os.getloadavg()[0]}


def write_section(lines, start, end):
    """Puts lines between two comments of the page."""
    text = PAGE.read_text()
    if start not in text or end not in text:
        raise SystemExit(f"bench: {PAGE.name}: no place for the table: {start}")
    before, _, rest = text.partition(start)
    after = rest.partition(end)[2]
    PAGE.write_text(f"{before}{start}\n\n" + "\n".join(lines) + f"\n\n{end}{after}")
