"""Writes acknowledged bodies, encrypted and synced to the disk.

One thread per process seals and writes what has come in meanwhile and syncs it once (group commit), then
tells the waiting requests.
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
from collections.abc import Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any, NamedTuple

from django.conf import settings

from apps.spool.files import closed_file, spool_name, undrained
from apps.spool.record import Header, SpoolRecord, framed, seal_record, spool_key

ROTATE_AT = 32 * 1024**2
# A file that is drained goes only once it is closed: what is private must not lie here for days.
CLOSE_AFTER_S = 30.0
LONGEST_QUEUE = 2000
MOST_AT_ONCE = 16 * 1024**2
LOOK_EVERY_S = 0.5


class SpoolFullError(Exception):
    """More is waiting for the disk, or for its rows, than the spool may hold; `wait_s` says when to retry."""

    def __init__(self, message: str = "More comes in than the hub's disk takes.", wait_s: int = 1) -> None:
        super().__init__(message)
        self.wait_s = wait_s


class Waiting(NamedTuple):
    record: SpoolRecord
    received_at: float
    done: Future[None]


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
        """Returns when the record is on the disk; raises `SpoolFullError` instead of dropping it."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, daemon=True, name="spool")
            self._thread.start()
        done: Future[None] = Future()
        try:
            self._waiting.put_nowait(Waiting(SpoolRecord(header, payload), time.time(), done))
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
        size = len(batch[0].record.payload)
        with contextlib.suppress(queue.Empty):
            while size < MOST_AT_ONCE and len(batch) < LONGEST_QUEUE:
                batch.append(self._waiting.get_nowait())
                size += len(batch[-1].record.payload)
        return batch

    def _commit(self, batch: Sequence[Waiting]) -> None:
        file = self._open()
        before = file.tell()
        for one in batch:
            file.write(framed(seal_record(one.record, self._key), one.received_at))
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
