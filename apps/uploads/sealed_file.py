"""Files that arrive in pieces and lie encrypted: a row of `length (4, big endian) | sealed record`.

A record holds at most SEGMENT bytes and is bound to its file and to the place of its bytes in it, so that
none can be moved. What a killed writer has left behind the acknowledged bytes is cut off by the next one.
"""

from __future__ import annotations

import bisect
import io
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from filelock import lock_descriptor

from apps.accounts.keys import Keyring
from apps.core.encryption import HEADER, SealBrokenError

SEGMENT = 1024 * 1024
_LENGTH = 4
_TAG = 16


class BusyFileError(Exception):
    """Another request is writing to this file."""


class ShortFileError(Exception):
    """The file holds less than was acknowledged: somebody cut it off."""


class _Record(NamedTuple):
    """`start` counts plain bytes, `position` bytes on disk."""

    start: int
    position: int
    sealed: int

    @property
    def end(self) -> int:
        return self.start + self.sealed - HEADER - _TAG


def create(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))


@contextmanager
def exclusive(path: Path) -> Iterator[BinaryIO]:
    """The file, for one writer at a time. Raises BusyFileError, FileNotFoundError."""
    with path.open("r+b") as file:
        if not lock_descriptor(file.fileno(), blocking=False):
            raise BusyFileError(path.name)
        yield file


def append(file: BinaryIO, keyring: Keyring, pieces: Iterable[bytes], *, at: int) -> int:
    """Seals the pieces behind the first `at` plain bytes; the size then, on disk for good.

    Raises ShortFileError.
    """
    name = Path(file.name).name
    file.truncate(_end_of(file, at))
    file.seek(0, os.SEEK_END)
    try:
        for piece in _segments(pieces):
            record = keyring.seal(piece, bound_to=_place(name, at))
            file.write(len(record).to_bytes(_LENGTH, "big") + record)
            at += len(piece)
    finally:
        file.flush()
        os.fsync(file.fileno())
    return at


def open_sealed(path: Path, keyring: Keyring) -> BinaryIO:
    """The plain bytes, seekable, in constant memory. Reading raises SealBrokenError."""
    return io.BufferedReader(SealedReader(path, keyring), SEGMENT)


class SealedReader(io.RawIOBase):
    """The plain bytes of a sealed file."""

    def __init__(self, path: Path, keyring: Keyring) -> None:
        self._file = path.open("rb")
        self._name, self._keyring = path.name, keyring
        self._records = list(_records(self._file))
        self._starts = [record.start for record in self._records]
        self._at = 0
        self._opened: tuple[int, bytes] = (-1, b"")

    @property
    def size(self) -> int:
        return self._records[-1].end if self._records else 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self.size}[whence]
        self._at = max(0, base + offset)
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: Any) -> int:
        if self._at >= self.size:
            return 0
        number = bisect.bisect_right(self._starts, self._at) - 1
        within = self._at - self._starts[number]
        piece = self._plain(number)[within : within + len(buffer)]
        buffer[: len(piece)] = piece
        self._at += len(piece)
        return len(piece)

    def close(self) -> None:
        self._file.close()
        super().close()

    def _plain(self, number: int) -> bytes:
        if self._opened[0] != number:
            record = self._records[number]
            sealed = os.pread(self._file.fileno(), record.sealed, record.position)
            if len(sealed) < record.sealed:
                raise SealBrokenError("the file is cut off")
            self._opened = number, self._keyring.unseal(sealed, bound_to=_place(self._name, record.start))
        return self._opened[1]


def _records(file: BinaryIO) -> Iterator[_Record]:
    """Whole records, in order; a torn one ends them."""
    position, start, size = 0, 0, os.fstat(file.fileno()).st_size
    while len(head := os.pread(file.fileno(), _LENGTH, position)) == _LENGTH:
        record = _Record(start, position + _LENGTH, int.from_bytes(head, "big"))
        if record.sealed <= HEADER + _TAG or record.position + record.sealed > size:
            return
        yield record
        position, start = record.position + record.sealed, record.end


def _end_of(file: BinaryIO, plain: int) -> int:
    """Where on disk the first `plain` bytes end."""
    if not plain:
        return 0
    for record in _records(file):
        if record.end == plain:
            return record.position + record.sealed
    raise ShortFileError(f"{Path(file.name).name} holds less than {plain} bytes")


def _segments(pieces: Iterable[bytes]) -> Iterator[bytes]:
    held = bytearray()
    for piece in pieces:
        held += piece
        while len(held) >= SEGMENT:
            yield bytes(held[:SEGMENT])
            del held[:SEGMENT]
    if held:
        yield bytes(held)


def _place(name: str, start: int) -> bytes:
    return f"upload:{name}:{start}".encode()
