"""Tells web processes that events were committed. Only a hint: who hears it always reads the tables.

Embedded, a datagram goes to the socket of each web process; in production, Redis carries it. A hint that is
lost costs at most one poll interval of who waited for it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from django.conf import settings

if TYPE_CHECKING:
    from redis import Redis

CHANNEL = "slmhub.events"
TRY_AGAIN_S = 1.0


def sockets_dir() -> Path:
    return Path(settings.RUN_DIR) / "live"


@contextlib.contextmanager
def short_address(path: Path) -> Iterator[str]:
    """The socket's address by way of its open folder: the kernel takes no address above 107 bytes."""
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


def announce() -> None:
    if settings.REDIS_URL:
        _announce_by_redis()
    else:
        _announce_by_socket()


def _announce_by_redis() -> None:
    import redis

    with contextlib.suppress(redis.RedisError):
        _redis().publish(CHANNEL, b"1")


@cache
def _redis() -> Redis:
    from redis import Redis

    return Redis.from_url(settings.REDIS_URL, socket_timeout=1)


def _announce_by_socket() -> None:
    folder = sockets_dir()
    if not folder.is_dir():
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.setblocking(False)
        for path in folder.iterdir():
            try:
                with short_address(path) as address:
                    sender.sendto(b"1", address)
            except BlockingIOError:
                continue
            except OSError:
                _remove_if_orphaned(path)


def _remove_if_orphaned(path: Path) -> None:
    pid = int(path.stem) if path.stem.isdigit() else 0
    with contextlib.suppress(OSError):
        os.kill(pid, 0)
        return
    path.unlink(missing_ok=True)


class Hints:
    """Hears what other processes announce, for everybody in this one who wants to know."""

    def __init__(self) -> None:
        self._heard: list[Callable[[], object]] = []
        self._listener: asyncio.Task[None] | None = None

    def tell(self, heard: Callable[[], object]) -> None:
        """Calls `heard` at every hint from now on."""
        self._heard.append(heard)
        if self._listener is None:
            self._listener = asyncio.create_task(self.listen())

    async def listen(self) -> None:
        await (self._listen_to_redis() if settings.REDIS_URL else self._listen_to_socket())

    def _tell_all(self) -> None:
        for heard in self._heard:
            heard()

    async def _listen_to_socket(self) -> None:
        folder = sockets_dir()
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{os.getpid()}.sock"
        path.unlink(missing_ok=True)
        loop = asyncio.get_running_loop()
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
            with short_address(path) as address:
                receiver.bind(address)
            receiver.setblocking(False)
            try:
                while True:
                    await loop.sock_recv(receiver, 16)
                    self._tell_all()
            finally:
                path.unlink(missing_ok=True)

    async def _listen_to_redis(self) -> None:
        import redis.asyncio as redis

        # With a timeout of sockets redis waits by `wait_for`, which before Python 3.12 can swallow the cancel
        # that ends the process; what a connection that has silently died costs is bounded by the polls.
        client = redis.from_url(settings.REDIS_URL, socket_timeout=None)
        while True:
            try:
                async with client.pubsub() as channel:
                    await channel.subscribe(CHANNEL)
                    async for _ in channel.listen():
                        self._tell_all()
            except redis.RedisError:
                await asyncio.sleep(TRY_AGAIN_S)


_hints: dict[asyncio.AbstractEventLoop, Hints] = {}


def hints() -> Hints:
    """The hints of the running event loop."""
    loop = asyncio.get_running_loop()
    if loop not in _hints:
        _hints.clear()
        _hints[loop] = Hints()
    return _hints[loop]
