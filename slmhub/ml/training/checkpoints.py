"""Checkpoints that are either whole or skipped: a marker with the sizes of all files is written last."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from slmhub.files import write_atomically

MARKER = "COMPLETE.json"


def write_marker(checkpoint: Path) -> None:
    sizes = {path.name: path.stat().st_size for path in sorted(checkpoint.iterdir()) if path.name != MARKER}
    write_atomically(checkpoint / MARKER, json.dumps({"files": sizes}))


def newest_valid(checkpoints: Path) -> Path | None:
    """The valid checkpoint of the highest step; torn ones are removed."""
    found = sorted(checkpoints.glob("checkpoint-*"), key=_step, reverse=True)
    for checkpoint in found:
        if _is_valid(checkpoint):
            return checkpoint
        shutil.rmtree(checkpoint)
    return None


def step_of(checkpoint: Path | None) -> int:
    return 0 if checkpoint is None else _step(checkpoint)


def _step(checkpoint: Path) -> int:
    number = checkpoint.name.removeprefix("checkpoint-")
    return int(number) if number.isdigit() else -1


def _is_valid(checkpoint: Path) -> bool:
    try:
        sizes = json.loads((checkpoint / MARKER).read_text())["files"]
        return all((checkpoint / name).stat().st_size == size for name, size in sizes.items())
    except (OSError, ValueError, KeyError):
        return False
