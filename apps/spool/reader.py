"""Reads spool files: whole records in order, how many there are, and how much waits."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings

from apps.core import encryption
from apps.core.encryption import SealBrokenError
from apps.spool.files import undrained
from apps.spool.record import BIND, FRAME, LARGEST_RECORD, SpoolRecord, record_of, spool_key


def records_after(path: Path, offset: int) -> Iterator[tuple[SpoolRecord, int]]:
    """The whole records of a spool file from `offset` on, each with the offset behind it.

    A record that is not yet whole ends the iteration: its writer is still at it, or died before it was
    acknowledged. Raises SealBrokenError.
    """
    key = spool_key()
    with path.open("rb") as file:
        file.seek(offset)
        while len(frame := file.read(FRAME)) == FRAME:
            length = int.from_bytes(frame[:4], "big")
            if length > LARGEST_RECORD:
                raise SealBrokenError(f"a record of {length:,} bytes")
            sealed = file.read(length)
            if len(sealed) < length:
                return
            offset = file.tell()
            yield record_of(encryption.unseal(key, sealed, bound_to=BIND)), offset


def records_in(path: Path) -> int:
    """How many whole records a file holds, by its frames."""
    return sum(1 for _ in _ends(path))


def whole_until(path: Path) -> int:
    """Where the last whole record of a file ends, by its frames."""
    return max(_ends(path), default=0)


def _ends(path: Path) -> Iterator[int]:
    size = path.stat().st_size
    with path.open("rb") as file:
        while len(frame := file.read(FRAME)) == FRAME:
            end = file.seek(int.from_bytes(frame[:4], "big"), os.SEEK_CUR)
            if end > size:
                return
            yield end


@dataclass(frozen=True)
class Backlog:
    """What was acknowledged and has no rows yet, and what was set aside because no row could hold it."""

    bytes_waiting: int
    oldest_s: float
    refused: int
    damaged: int


def backlog(folder: Path | None = None) -> Backlog:
    folder = folder or Path(settings.SPOOL_DIR)
    waiting, oldest = 0, time.time()
    for path, size, offset in undrained(folder):
        if size > offset:
            waiting += size - offset
            oldest = min(oldest, _received_at(path, offset))
    return Backlog(
        bytes_waiting=waiting,
        oldest_s=max(0.0, time.time() - oldest) if waiting else 0.0,
        refused=sum(records_in(path) for path in folder.glob("*.refused")),
        damaged=len(list(folder.glob("*.damaged"))),
    )


def _received_at(path: Path, offset: int) -> float:
    with contextlib.suppress(FileNotFoundError), path.open("rb") as file:
        file.seek(offset)
        if len(frame := file.read(FRAME)) == FRAME:
            return int.from_bytes(frame[4:], "big") / 1000
    return time.time()
