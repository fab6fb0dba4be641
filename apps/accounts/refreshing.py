"""Rows that are held in memory and read anew once they have changed, for requests that make no query."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable
from typing import Generic, TypeVar
from uuid import UUID

from asgiref.sync import sync_to_async
from django.db import close_old_connections

from apps.accounts import revision

# Without any hint the revision is looked at so often.
POLL_S = 1.0
# What was changed is in force at most so long after, even if no hint of it comes through.
STALENESS_S = 2.0
# Hints and unknown keys, however many, ask the database no more often than this.
CHECK_EVERY_S = 0.1
# A database that does not answer for so long leaves what was read last in force.
LONGEST_WAIT_S = 1.0
# What was changed by hand in the database, past the services, moves no revision.
REREAD_EVERY_S = 60.0

Value = TypeVar("Value")

log = logging.getLogger(__name__)


class RefreshingSnapshot(Generic[Value]):
    """What `read` returned last, kept fresh by one task of this process."""

    def __init__(self, read: Callable[[], Value], empty: Value) -> None:
        self.current = empty
        self.is_read = False
        self._read = read
        self._revision: UUID | None = None
        self._read_at = 0.0
        self._task: asyncio.Task[None] | None = None
        self._renewal: asyncio.Task[None] | None = None
        self._hinted = asyncio.Event()
        self._checked_at = 0.0
        # A check that began earlier must not end later.
        self._checking = asyncio.Lock()

    async def start(self) -> None:
        """Reads it and keeps it fresh; does nothing when that is so already."""
        if self._task is None:
            self._task = asyncio.create_task(self._keep_fresh())
            await self._check()

    async def stop(self) -> None:
        for task in (self._task, self._renewal):
            if task is not None:
                task.cancel()
        self._task = self._renewal = None

    def hint(self) -> None:
        """Something was committed: have a look soon."""
        self._hinted.set()

    async def _keep_fresh(self) -> None:
        while True:
            # Not `wait_for`: before Python 3.12 it can swallow the cancel that ends the process.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(POLL_S):
                    await self._hinted.wait()
            self._hinted.clear()
            await self._check()

    async def renew(self) -> None:
        """Returns after a check that began after this was called; all who wait share it."""
        if self._renewal is None:
            self._renewal = asyncio.create_task(self._renew())
        await asyncio.wait([self._renewal], timeout=LONGEST_WAIT_S)

    async def _renew(self) -> None:
        async with self._checking:
            await self._pause()
            self._renewal = None
            await self._check_now()

    async def _check(self) -> None:
        async with self._checking:
            await self._pause()
            await self._check_now()

    async def _pause(self) -> None:
        await asyncio.sleep(self._checked_at + CHECK_EVERY_S - time.monotonic())

    async def _check_now(self) -> None:
        self._checked_at = time.monotonic()
        try:
            await sync_to_async(self._read_if_changed)()
        except Exception:
            log.exception("%s failed; what was read last stays in force", self._read.__module__)

    def _read_if_changed(self) -> None:
        close_old_connections()
        # Before the rows: what changes while they are read is then read once more.
        stamp = revision.current()
        is_due = not self.is_read or time.monotonic() - self._read_at > REREAD_EVERY_S
        if is_due or stamp != self._revision:
            began_at = time.monotonic()
            self.current = self._read()
            self._revision, self._read_at, self.is_read = stamp, began_at, True
