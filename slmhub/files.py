"""Small files that are written whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path


def write_atomically(path: Path, text: str, *, synced: bool = True) -> None:
    """`path` holds either its old content or all of `text`; if `synced`, also after a power cut.

    Not synced is for what is written often and is no loss.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # A name of its own for each process: two may write the same file at once.
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with temporary.open("w", encoding="utf-8") as file:
        file.write(text)
        if synced:
            file.flush()
            os.fsync(file.fileno())
    temporary.replace(path)
