"""Tells web processes that events were committed. Only a hint: delivery always reads the table.

Embedded, a datagram goes to the socket of each web process; in production, Redis carries it. A hint that is
lost costs at most one poll interval (`live.POLL_S`).
"""

from __future__ import annotations

import contextlib
import os
import socket
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from django.conf import settings

if TYPE_CHECKING:
    from redis import Redis

CHANNEL = "slmhub.events"


def sockets_dir() -> Path:
    return Path(settings.RUN_DIR) / "live"


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
                sender.sendto(b"1", str(path))
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
