"""Small files beside a run: hashed, written whole or not at all."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any


def sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def write_json(path: Path, value: Any) -> None:
    """Whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}")
    part.write_text(json.dumps(value, sort_keys=True))
    part.replace(path)


def read_json(text: str) -> Any:
    """JSON in which NaN and Infinity, which a diverging run writes, become null."""
    return json.loads(text, parse_constant=lambda _: None)
