"""From the commit of an event in another process to its arrival at the sockets of one web process.

There is no peer.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
import time
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

from benchmarks import hub
from benchmarks.results import Results, percentile

# Sockets and the pause between two events, of which there are EVENTS.
PAUSES = {1: 0.02, 200: 0.1}
EVENTS = 100


def main() -> None:
    results = Results("live")
    with hub.fresh_hub():
        workspace, cookie = _member()
        with hub.web() as address:
            url = f"ws://{address}/ws/w/{workspace.slug}/events"
            headers = {"cookie": cookie, "origin": f"http://{address}"}
            for sockets in PAUSES:
                report(results, sockets, *asyncio.run(measure(url, headers, workspace.pk, sockets)))
    results.write()


def _member() -> tuple[Any, str]:
    """A workspace and the session cookie of its owner."""
    from django.db import connections
    from django.test import Client

    from apps.accounts.models import User
    from apps.team.services import create_workspace

    owner = User.objects.create_user("bench@localhost", None, name="Bench")
    workspace = create_workspace(name="Bench", owner=owner)
    client = Client()
    client.force_login(owner)
    connections.close_all()
    return workspace, f"sessionid={client.cookies['sessionid'].value}"


async def measure(
    url: str, headers: dict[str, str], workspace: int, sockets: int
) -> tuple[dict[int, float], list[dict[int, float]]]:
    """When each event was committed, and when each socket had it: seconds of the monotonic clock."""
    async with contextlib.AsyncExitStack() as stack:
        options: dict[str, Any] = {"additional_headers": headers, "max_queue": None}
        listeners = [await stack.enter_async_context(connect(url, **options)) for _ in range(sockets)]
        await asyncio.sleep(1)
        arrived = [asyncio.create_task(_hear(listener)) for listener in listeners]
        command = ["-m", "benchmarks.live_writer", str(workspace), str(EVENTS), str(PAUSES[sockets])]
        writer = await asyncio.create_subprocess_exec(
            sys.executable, *command, stdout=asyncio.subprocess.PIPE
        )
        said, _ = await writer.communicate()
        async with asyncio.timeout(30):
            heard = await asyncio.gather(*arrived)
    return {int(number): at for number, at in json.loads(said).items()}, heard


async def _hear(listener: ClientConnection) -> dict[int, float]:
    heard: dict[int, float] = {}
    while len(heard) < EVENTS:
        message = await listener.recv()
        now = time.monotonic()
        heard[json.loads(message)["seq"]] = now
    return heard


def report(
    results: Results, sockets: int, committed: dict[int, float], heard: list[dict[int, float]]
) -> None:
    missing = sum(len(committed.keys() - one.keys()) for one in heard)
    if missing:
        raise RuntimeError(f"{missing} events never arrived")
    every = [(one[number] - at) * 1000 for one in heard for number, at in committed.items()]
    last = [max((one[number] - at) * 1000 for one in heard) for number, at in committed.items()]
    figures = {
        "p50_ms": round(percentile(every, 0.5), 1),
        "p99_ms": round(percentile(every, 0.99), 1),
        "last_socket_p50_ms": round(percentile(last, 0.5), 1),
        "last_socket_p99_ms": round(percentile(last, 0.99), 1),
        "messages": len(every),
    }
    line = (
        "p50 {p50_ms} ms, p99 {p99_ms} ms; until the last socket has it p50 {last_socket_p50_ms} ms, "
        "p99 {last_socket_p99_ms} ms; {messages} messages, none lost"
    )
    results.add(f"{sockets} sockets", line.format(**figures), **figures)


if __name__ == "__main__":
    main()
