"""Files of models and what they hash to."""

from __future__ import annotations

import hashlib
from pathlib import Path


def sha256_of_file(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def weight_files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.safetensors"))


def sha256_of_weights(folder: Path) -> str:
    """The hash of the one weight file, or of the lines `sha256  name` of several."""
    files = weight_files(folder)
    if len(files) == 1:
        return sha256_of_file(files[0])
    lines = "".join(f"{sha256_of_file(path)}  {path.name}\n" for path in files)
    return hashlib.sha256(lines.encode()).hexdigest()
