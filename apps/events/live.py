"""Delivers events to the open sockets of this process.

One task reads what was committed since each workspace's last number and hands every message, encoded once,
to the sockets of that workspace. A socket has a bounded queue: a reader that is too slow is closed and comes
back with the last number it saw, so nothing is lost and nobody else waits.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import defaultdict
from typing import Any

import orjson
from asgiref.sync import sync_to_async
from django.db import close_old_connections

from apps.events.models import Event
from apps.events.wakeup import hints

POLL_S = 1.0
BATCH = 500
QUEUE = 1000

log = logging.getLogger(__name__)


class Subscriber:
    """One socket's place in the registry. `last` is the number it saw last."""

    def __init__(self, workspace_id: int, last: int) -> None:
        self.workspace_id = workspace_id
        self.last = last
        self.queue: asyncio.Queue[bytes | None] = asyncio.Queue(QUEUE)

    def offer(self, number: int, message: bytes) -> None:
        if number <= self.last:
            return
        self.last = number
        try:
            self.queue.put_nowait(message)
        except asyncio.QueueFull:
            self._give_up()

    def _give_up(self) -> None:
        while not self.queue.empty():
            self.queue.get_nowait()
        self.queue.put_nowait(None)


class Registry:
    def __init__(self) -> None:
        self.subscribers: dict[int, set[Subscriber]] = defaultdict(set)
        self._wake = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    def add(self, subscriber: Subscriber) -> None:
        self.subscribers[subscriber.workspace_id].add(subscriber)
        if not self._tasks:
            self._start()
        self._wake.set()

    def remove(self, subscriber: Subscriber) -> None:
        group = self.subscribers.get(subscriber.workspace_id)
        if group:
            group.discard(subscriber)
            if not group:
                del self.subscribers[subscriber.workspace_id]

    def _start(self) -> None:
        hints().tell(self._wake.set)
        self._tasks = {asyncio.create_task(self._pump())}

    async def _pump(self) -> None:
        while True:
            # Not `wait_for`: before Python 3.12 it can swallow the cancel that ends the process.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(POLL_S):
                    await self._wake.wait()
            self._wake.clear()
            try:
                await self._deliver()
            except Exception:
                log.exception("live delivery failed; trying again")
                await asyncio.sleep(POLL_S)

    async def _deliver(self) -> None:
        for workspace_id in list(self.subscribers):
            group = self.subscribers.get(workspace_id) or set()
            while group:
                seen = min(subscriber.last for subscriber in group)
                messages = await sync_to_async(read_after)(workspace_id, seen)
                for number, message in messages:
                    for subscriber in list(group):
                        subscriber.offer(number, message)
                if len(messages) < BATCH:
                    break


_registries: dict[asyncio.AbstractEventLoop, Registry] = {}


def registry() -> Registry:
    """The registry of the running event loop."""
    loop = asyncio.get_running_loop()
    if loop not in _registries:
        _registries.clear()
        _registries[loop] = Registry()
    return _registries[loop]


def read_after(workspace_id: int, number: int) -> list[tuple[int, bytes]]:
    """Up to `BATCH` events above `number`, in order, encoded for the wire."""
    close_old_connections()
    rows = Event.objects.filter(workspace_id=workspace_id, number__gt=number).order_by("number")[:BATCH]
    return [(row.number, orjson.dumps(message_of(row))) for row in rows]


def message_of(event: Event) -> dict[str, Any]:
    return {"seq": event.number, "type": event.type, "at": event.at.isoformat(), "data": event.data}
