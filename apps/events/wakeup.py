"""Tells web processes that events were committed. Only a hint: delivery always reads the table.

Embedded, a datagram goes to the socket of each web process; in production, Redis carries it. A hint that is
lost costs at most one poll interval (`live.POLL_S`).
"""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from django.conf import settings

if TYPE_CHECKING:
    from redis import Redis

CHANNEL = "slmhub.events"


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
