"""Bodies that were acknowledged and wait for their rows, encrypted and synced to the disk.

A spool file is a row of `length (4, big endian) | received at (8, ms) | sealed note`; a note is
`length of its header (4) | header as JSON | payload as received`. One thread per process seals and writes
what has come in meanwhile and syncs it once (group commit), then tells the waiting requests.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import queue
import shutil
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from django.conf import settings

from apps.core import encryption
from apps.core.encryption import SealBrokenError

ROTATE_AT = 32 * 1024**2
# A file that is drained goes only once it is closed: what is private must not lie here for days.
CLOSE_AFTER_S = 30.0
LONGEST_QUEUE = 2000
MOST_AT_ONCE = 16 * 1024**2
LARGEST_RECORD = 256 * 1024**2
LOOK_EVERY_S = 0.5
BIND = b"spool"
FRAME = 12


class SpoolFullError(Exception):
    """More is waiting for the disk, or for its rows, than the spool may hold; `wait_s` says when to retry."""

    def __init__(self, message: str = "More comes in than the hub's disk takes.", wait_s: int = 1) -> None:
        super().__init__(message)
        self.wait_s = wait_s


class Way(StrEnum):
    """How the payload of a note is read."""

    ROW = "row"
    OTLP_TRACES = "otlp_traces"
    OTLP_LOGS = "otlp_logs"
    LANGFUSE = "langfuse"
    LANGFUSE_SCORES = "langfuse_scores"
    LANGSMITH_BATCH = "langsmith_batch"
    LANGSMITH_MULTIPART = "langsmith_multipart"
    LANGSMITH_CREATE = "langsmith_create"
    LANGSMITH_UPDATE = "langsmith_update"


class Header(msgspec.Struct, kw_only=True, frozen=True):
    """`source` is one of traces.models.Source; `subject` the id that stood in the address."""

    way: Way
    source: str
    agent: int
    content_type: str = ""
    encoding: str = ""
    emitter: str = ""
    subject: str = ""


class Note(NamedTuple):
    header: Header
    payload: bytes


class Waiting(NamedTuple):
    note: Note
    received_at: float
    done: Future[None]


def spool_name(host: str, pid: int, number: int) -> str:
    """One writer, one file: web processes of several hosts may share the folder."""
    return f"{host.replace('.', '_')}.{pid}.{number:06d}.spool"


def spool_key() -> bytes:
    return encryption.derive(settings.MASTER_KEY.encode(), "spool")


def seal_note(note: Note, key: bytes | None = None) -> bytes:
    header = msgspec.json.encode(note.header)
    plain = b"".join([len(header).to_bytes(4, "big"), header, note.payload])
    return encryption.seal(key or spool_key(), plain, bound_to=BIND)


def framed(sealed: bytes, received_at: float) -> bytes:
    return len(sealed).to_bytes(4, "big") + int(received_at * 1000).to_bytes(8, "big") + sealed


class SpoolWriter:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._waiting: queue.Queue[Waiting] = queue.Queue(LONGEST_QUEUE)
        self._thread: threading.Thread | None = None
        self._file: Any = None
        self._number = 0
        self._key = spool_key()
        self._disk = Disk(folder)

    def check_room(self, share: float = 1.0) -> None:
        """Raises SpoolFullError when the queue, or `share` of what may wait on the disk, is used up."""
        if self._waiting.full():
            raise SpoolFullError
        self._disk.check_room(share)

    async def write(self, header: Header, payload: bytes) -> None:
        """Returns when the note is on the disk; raises `SpoolFullError` instead of dropping it."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, daemon=True, name="spool")
            self._thread.start()
        done: Future[None] = Future()
        try:
            self._waiting.put_nowait(Waiting(Note(header, payload), time.time(), done))
        except queue.Full:
            raise SpoolFullError from None
        await asyncio.wrap_future(done)

    def _run(self) -> None:
        while True:
            batch = self._next_batch()
            if not batch:
                self._close()
                continue
            # A caller may have gone meanwhile; from here on nobody can cancel.
            waiting = [one.done for one in batch if one.done.set_running_or_notify_cancel()]
            try:
                self._commit(batch)
            except Exception as error:
                # The file may end in half a record now; what follows goes to another one.
                self._file = None
                for done in waiting:
                    done.set_exception(error)
                continue
            for done in waiting:
                done.set_result(None)

    def _next_batch(self) -> list[Waiting]:
        """What has come in; empty when nothing has for so long that the file should be closed."""
        try:
            batch = [self._waiting.get(timeout=CLOSE_AFTER_S if self._file else None)]
        except queue.Empty:
            return []
        size = len(batch[0].note.payload)
        with contextlib.suppress(queue.Empty):
            while size < MOST_AT_ONCE and len(batch) < LONGEST_QUEUE:
                batch.append(self._waiting.get_nowait())
                size += len(batch[-1].note.payload)
        return batch

    def _commit(self, batch: Sequence[Waiting]) -> None:
        file = self._open()
        before = file.tell()
        for one in batch:
            file.write(framed(seal_note(one.note, self._key), one.received_at))
        file.flush()
        os.fsync(file.fileno())
        self._disk.add(file.tell() - before)
        if file.tell() > ROTATE_AT:
            self._close()

    def _close(self) -> None:
        """Tells the drainer that nothing follows in this file."""
        file, self._file = self._file, None
        file.close()
        # On a full disk it stays until a later file of this writer says the same.
        with contextlib.suppress(OSError):
            closed_file(Path(file.name)).touch()

    def _open(self) -> Any:
        while self._file is None:
            self._number += 1
            path = self.folder / spool_name(socket.gethostname(), os.getpid(), self._number)
            # A file that is there already is of a dead process with this number and may end in half a record.
            with contextlib.suppress(FileExistsError):
                self._file = path.open("xb")
                _sync_folder(self.folder)
        return self._file


class Disk:
    """How full the spool's disk is, looked at every `LOOK_EVERY_S`, between that counted."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._looked_at = 0.0
        self._waiting = 0
        self._free = 0

    def add(self, size: int) -> None:
        self._waiting += size
        self._free -= size

    def check_room(self, share: float) -> None:
        if time.monotonic() - self._looked_at > LOOK_EVERY_S:
            self._looked_at = time.monotonic()
            self._waiting = sum(size - offset for _, size, offset in undrained(self.folder))
            self._free = shutil.disk_usage(self.folder).free
        if self._free < settings.SPOOL_DISK_FLOOR:
            raise SpoolFullError("The hub's disk is almost full; nothing is taken until there is room.", 30)
        if self._waiting >= settings.SPOOL_LIMIT * share:
            raise SpoolFullError("More traces wait to be stored than the hub may hold; send again later.", 5)


def _sync_folder(folder: Path) -> None:
    """Without it a file that was just made may be missing after a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def notes_after(path: Path, offset: int) -> Iterator[tuple[Note, int]]:
    """The whole notes of a spool file from `offset` on, each with the offset behind it.

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
            yield _note_of(encryption.unseal(key, sealed, bound_to=BIND)), offset


def _note_of(plain: bytes) -> Note:
    end = 4 + int.from_bytes(plain[:4], "big")
    try:
        return Note(msgspec.json.decode(plain[4:end], type=Header), plain[end:])
    except msgspec.MsgspecError as error:
        raise SealBrokenError(f"the header of a note: {error}") from error


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
