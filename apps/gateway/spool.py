"""The durable note of a call, written before the last byte of its answer leaves.

A spool file is a row of `length (4, big endian) | sealed record`. One thread per process writes what has come
in meanwhile and syncs it once (group commit), then tells the waiting requests. The keeper drains the files
into traces (`recorder`).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import queue
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import orjson
from django.conf import settings

from apps.core import encryption

ROTATE_AT = 8 * 1024**2
LONGEST_QUEUE = 2000
BIND = b"gateway spool"


class SpoolFullError(Exception):
    """More calls are waiting for the disk than the spool may hold."""


def spool_name(host: str, pid: int, number: int) -> str:
    """One writer, one file: web processes of several hosts may share the folder."""
    return f"gateway-{host.replace('.', '_')}.{pid}.{number:06d}.spool"


def spool_key() -> bytes:
    return encryption.derive(settings.MASTER_KEY.encode(), "gateway spool")


def seal_note(note: dict[str, Any], key: bytes | None = None) -> bytes:
    return encryption.seal(key or spool_key(), orjson.dumps(note), bound_to=BIND)


def as_bytes(sealed: bytes) -> bytes:
    return len(sealed).to_bytes(4, "big") + sealed


class SpoolWriter:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._waiting: queue.Queue[tuple[bytes, Future[None]]] = queue.Queue(LONGEST_QUEUE)
        self._thread: threading.Thread | None = None
        self._file: Any = None
        self._number = 0
        self._key = spool_key()

    def check_room(self) -> None:
        if self._waiting.full():
            raise SpoolFullError

    async def write(self, record: dict[str, Any]) -> None:
        """Returns when the record is on the disk; raises `SpoolFullError` instead of dropping it."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, daemon=True, name="gateway-spool")
            self._thread.start()
        done: Future[None] = Future()
        sealed = seal_note(record, self._key)
        try:
            self._waiting.put_nowait((sealed, done))
        except queue.Full:
            raise SpoolFullError from None
        await asyncio.wrap_future(done)

    def _run(self) -> None:
        while True:
            batch = [self._waiting.get()]
            with contextlib.suppress(queue.Empty):
                while len(batch) < LONGEST_QUEUE:
                    batch.append(self._waiting.get_nowait())
            # A caller may have gone meanwhile; from here on nobody can cancel.
            waiting = [done for _, done in batch if done.set_running_or_notify_cancel()]
            try:
                self._commit([sealed for sealed, _ in batch])
            except OSError as error:
                # The file may end in half a record now; what follows goes to another one.
                self._file = None
                for done in waiting:
                    done.set_exception(error)
                continue
            for done in waiting:
                done.set_result(None)

    def _commit(self, records: list[bytes]) -> None:
        file = self._open()
        file.write(b"".join(as_bytes(record) for record in records))
        file.flush()
        os.fsync(file.fileno())
        if file.tell() > ROTATE_AT:
            file.close()
            self._file = None

    def _open(self) -> Any:
        while self._file is None:
            self._number += 1
            path = self.folder / spool_name(socket.gethostname(), os.getpid(), self._number)
            # A file that is there already is of a dead process with this number and may end in half a record.
            with contextlib.suppress(FileExistsError):
                self._file = path.open("xb")
        return self._file


def records_after(path: Path, offset: int) -> Iterator[tuple[dict[str, Any], int]]:
    """The whole records of a spool file from `offset` on, each with the offset behind it.

    A record that is not yet whole ends the iteration: its writer is still at it, or died before it was
    acknowledged.
    """
    key = spool_key()
    with path.open("rb") as file:
        file.seek(offset)
        while len(head := file.read(4)) == 4:
            sealed = file.read(int.from_bytes(head, "big"))
            if len(sealed) < int.from_bytes(head, "big"):
                return
            offset = file.tell()
            yield orjson.loads(encryption.unseal(key, sealed, bound_to=BIND)), offset
