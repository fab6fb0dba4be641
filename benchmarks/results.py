"""What a benchmark prints and writes: `benchmarks/results/<name>.json`, the machine and its load included."""

from __future__ import annotations

import json
import os
import platform
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil

FOLDER = Path(__file__).parent / "results"
DATA = Path(__file__).parents[2] / "shared" / "data"


class MissingDataError(Exception):
    """The real data of this benchmark is not on this machine."""


def data(path: str) -> Path:
    """A file below `../shared/data`. Raises MissingDataError."""
    found = DATA / path
    if not found.exists():
        raise MissingDataError(f"{found} is not here")
    return found


def percentile(values: Sequence[float], share: float) -> float:
    """The nearest-rank percentile, `share` from 0 to 1."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, round(share * (len(ordered) - 1)))]


def _machine() -> dict[str, Any]:
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "cores": os.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30),
        "python": platform.python_version(),
        "load_before": [round(load, 2) for load in os.getloadavg()],
    }


@dataclass
class Results:
    name: str
    machine: dict[str, Any] = field(default_factory=_machine)
    figures: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        machine = self.machine
        print(
            f"\n{self.name}: {machine['cores']} cores, {machine['memory_gib']} GiB, "
            f"load {machine['load_before']}"
        )

    def add(self, name: str, line: str, **figures: Any) -> None:
        self.figures[name] = figures
        print(f"  {name}: {line}", flush=True)

    def write(self) -> None:
        self.machine["load_after"] = [round(load, 2) for load in os.getloadavg()]
        FOLDER.mkdir(exist_ok=True)
        path = FOLDER / f"{self.name}.json"
        path.write_text(json.dumps({"machine": self.machine, "figures": self.figures}, indent=1) + "\n")
        print(f"  written to {path}, load {self.machine['load_after']}")


def skipped(name: str, error: MissingDataError) -> None:
    print(f"\n{name}: SKIPPED, {error}", file=sys.stderr)
