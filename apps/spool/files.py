"""The files of the spool: one writer, one file, and beside it how far it has been drained."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path


def spool_name(host: str, pid: int, number: int) -> str:
    """One writer, one file: web processes of several hosts may share the folder."""
    return f"{host.replace('.', '_')}.{pid}.{number:06d}.spool"


def offset_file(path: Path) -> Path:
    return path.with_suffix(".offset")


def closed_file(path: Path) -> Path:
    return path.with_suffix(".closed")


def offset_of(path: Path) -> int:
    """Up to where a file has been drained."""
    try:
        return int(offset_file(path).read_text())
    except (FileNotFoundError, ValueError):
        return 0


def undrained(folder: Path) -> Iterator[tuple[Path, int, int]]:
    """Path, size and drained bytes of every spool file; files may go while this looks."""
    for path in sorted(folder.glob("*.spool")):
        with contextlib.suppress(FileNotFoundError):
            yield path, path.stat().st_size, offset_of(path)
