"""Files of models and runs: hashed, and written whole or not at all."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path


def write_atomically(path: Path, text: str) -> None:
    """`path` holds either its old content or all of `text`, also after a crash."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # A name of its own for each process: two may write the same file at once.
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with temporary.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


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
