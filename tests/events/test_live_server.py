"""The websocket over a real server, with the writers in another process."""

from __future__ import annotations

import json
import socket as sockets
import statistics
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from apps.accounts.models import User
from apps.events.consumers import CLOSE_STRANGER, CLOSE_TOO_SLOW
from apps.events.models import Sequence
from apps.events.wakeup import sockets_dir
from tests import attached
from tests.servers import eventually, web
from tests.world import World

pytestmark = [
    pytest.mark.django_db(transaction=True, databases="__all__"),
    pytest.mark.slow,
    pytest.mark.production,
]
WRITER = str(Path(__file__).with_name("writer.py"))


@pytest.fixture(scope="module")
def server(django_db_setup: None, django_db_blocker: pytest.FixtureRequest) -> Iterator[str]:
    with django_db_blocker.unblock(), web() as (address, _):  # type: ignore[attr-defined]
        yield address


def listen(
    server: str, world: World, user: User | None, after: int | str = "", **options: object
) -> ClientConnection:
    client = Client()
    if user is not None:
        client.force_login(user)
    headers = {"cookie": "; ".join(f"{name}={morsel.value}" for name, morsel in client.cookies.items())}
    url = f"ws://{server}/ws/w/{world.workspace.slug}/events?after={after}"
    options = {"max_queue": None, **options}
    return connect(url, additional_headers=headers, origin=f"http://{server}", **options)  # type: ignore[arg-type]


def write(world: World, count: int, *, pause: float = 0.0, size: int = 0) -> None:
    """Publishes from another process and waits until it has."""
    writer = attached.start(WRITER, str(world.workspace.pk), str(count), str(pause), str(size))
    assert writer.wait(60) == 0


def last_number(world: World) -> int:
    return Sequence.objects.get(workspace=world.workspace).last


def heard(listener: ClientConnection, count: int) -> list[int]:
    return [json.loads(listener.recv(timeout=10))["seq"] for _ in range(count)]


def test_it_replays_and_goes_on_live_from_another_process(server: str, world: World) -> None:
    start = last_number(world)
    write(world, 3)
    with listen(server, world, world.viewer, start + 1) as listener:
        assert heard(listener, 2) == [start + 2, start + 3]
        write(world, 2)
        assert heard(listener, 2) == [start + 4, start + 5]


def test_an_event_of_another_process_arrives_soon(server: str, world: World) -> None:
    latencies = []
    with listen(server, world, world.viewer) as listener:
        writer = attached.start(WRITER, str(world.workspace.pk), "100", "0.02", "0")
        for _ in range(100):
            sent_at = json.loads(listener.recv(timeout=20))["data"]["sent_at"]
            latencies.append((time.time() - sent_at) * 1000)
        assert writer.wait(10) == 0
    p50, p99 = statistics.median(latencies), statistics.quantiles(latencies, n=100)[98]
    print(f"commit to listener: p50 {p50:.1f} ms, p99 {p99:.1f} ms", file=sys.stderr)
    assert p50 < 250


def test_coming_back_with_the_last_number_loses_nothing(server: str, world: World) -> None:
    start = last_number(world)
    writer = attached.start(WRITER, str(world.workspace.pk), "120", "0.01", "0")
    seen: list[int] = []
    while len(seen) < 120:
        with listen(server, world, world.viewer, seen[-1] if seen else start) as listener:
            seen += heard(listener, min(17, 120 - len(seen)))
    assert writer.wait(10) == 0

    assert seen == list(range(start + 1, start + 121))


@pytest.mark.parametrize("who", ["stranger", None])
def test_nobody_else_may_listen(server: str, world: World, who: str | None) -> None:
    user = getattr(world, who) if who else None
    with listen(server, world, user, 0) as listener, pytest.raises(ConnectionClosed) as closed:
        listener.recv(timeout=5)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == CLOSE_STRANGER


def test_another_site_may_not_listen_with_a_persons_cookie(server: str, world: World) -> None:
    with pytest.raises(Exception, match="403"):
        client = Client()
        client.force_login(world.viewer)
        cookie = f"sessionid={client.cookies['sessionid'].value}"
        connect(
            f"ws://{server}/ws/w/{world.workspace.slug}/events",
            additional_headers={"cookie": cookie},
            origin="http://evil.example",  # type: ignore[arg-type]
        )


def test_a_slow_reader_is_closed_and_recovers_while_nobody_else_waits(server: str, world: World) -> None:
    start, count = last_number(world), 2500
    narrow = sockets.socket()
    narrow.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, 65536)
    host, port = server.split(":")
    narrow.connect((host, int(port)))
    narrowly = {"sock": narrow, "max_queue": 1, "compression": None}
    with (
        listen(server, world, world.viewer, start, **narrowly) as slow,
        listen(server, world, world.viewer) as quick,
    ):
        write(world, count, size=8_000)
        assert heard(quick, count) == list(range(start + 1, start + count + 1))
        seen = []
        with pytest.raises(ConnectionClosed) as closed:
            while True:
                seen += heard(slow, 1)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == CLOSE_TOO_SLOW
    assert 0 < len(seen) < count

    while len(seen) < count:
        with listen(server, world, world.viewer, seen[-1]) as again:
            seen += heard(again, min(500, count - len(seen)))
    assert seen == list(range(start + 1, start + count + 1))


def test_no_listener_is_left_behind(server: str, world: World) -> None:
    folder = sockets_dir()
    if settings.REDIS_URL:
        pytest.skip("Redis carries the hints")
    (folder / "999999.sock").unlink(missing_ok=True)
    stale = sockets.socket(sockets.AF_UNIX, sockets.SOCK_DGRAM)
    stale.bind(str(folder / "999999.sock"))
    stale.close()
    write(world, 1)
    eventually(lambda: not (folder / "999999.sock").exists(), within=5)
