"""The websocket of a workspace, inside one process."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.models import AnonymousUser
from django.db import transaction

from apps.events import live
from apps.events.consumers import CLOSE_STRANGER, CLOSE_TOO_SLOW
from apps.events.services import publish
from apps.events.wakeup import Hints
from tests.events.facts import Ticked
from tests.events.socket import Socket
from tests.world import World

pytestmark = pytest.mark.django_db(transaction=True, databases="__all__")


async def opened(world: World, user: Any, query: str = "") -> Socket:
    socket = Socket(world.workspace.slug, user, query)
    await socket.open()
    return socket


@sync_to_async
def tell(world: World, count: int = 1) -> list[int]:
    """Publishes events and returns their numbers."""
    found = []
    for _ in range(count):
        with transaction.atomic():
            found.append(publish(Ticked(text="tick"), workspace=world.workspace).number)
    return found


async def received(socket: Socket, count: int) -> list[int]:
    return [(await socket.hear())["seq"] for _ in range(count)]


async def test_it_replays_what_came_after_and_goes_on_live(world: World) -> None:
    old = await tell(world, 3)
    viewer = await opened(world, world.viewer, f"after={old[0]}")
    assert await received(viewer, 2) == old[1:]

    new = await tell(world, 2)
    assert await received(viewer, 2) == new
    await viewer.close()


async def test_without_a_number_it_starts_now(world: World) -> None:
    await tell(world)
    viewer = await opened(world, world.viewer)
    new = await tell(world)

    assert await received(viewer, 1) == new
    await viewer.close()


async def test_a_message_says_what_happened(world: World) -> None:
    viewer = await opened(world, world.viewer)
    (number,) = await tell(world)

    message = await viewer.hear()
    data = {"writer": 0, "count": 0, "sent_at": 0.0, "text": "tick"}
    assert message == {"seq": number, "type": "test.ticked", "at": message["at"], "data": data}
    await viewer.close()


@pytest.mark.parametrize(
    "query", ["after=x", "after=-1", "after=", "after=%C2%B2", "after=" + "9" * 5000, "after=999999"]
)
async def test_a_number_that_cannot_be_starts_now(world: World, query: str) -> None:
    viewer = await opened(world, world.viewer, query)
    new = await tell(world)

    assert await received(viewer, 1) == new
    await viewer.close()


@pytest.mark.parametrize(
    "who", [lambda world: world.stranger, lambda world: AnonymousUser()], ids=["stranger", "visitor"]
)
async def test_nobody_else_may_listen(world: World, who: Callable[[World], Any]) -> None:
    nobody = await opened(world, who(world), "after=0")

    assert await nobody.receive_output(5) == {"type": "websocket.close", "code": CLOSE_STRANGER}
    await tell(world)
    assert await nobody.receive_nothing(timeout=0.3)


async def test_nothing_crosses_to_another_workspace(world: World) -> None:
    stranger = Socket(world.elsewhere.slug, world.stranger)
    await stranger.open()
    await tell(world, 3)

    assert await stranger.receive_nothing(timeout=0.5)
    await stranger.close()


async def test_every_listener_gets_every_event_once(world: World) -> None:
    listeners = [await opened(world, world.viewer) for _ in range(5)]
    new = await tell(world, 10)

    for listener in listeners:
        assert await received(listener, 10) == new
        assert await listener.receive_nothing(timeout=0.05)
        await listener.close()


async def test_what_a_listener_says_is_ignored(world: World) -> None:
    viewer = await opened(world, world.viewer)
    await viewer.say(text="{}")
    await viewer.say(bytes=b"\x00")

    new = await tell(world)
    assert await received(viewer, 1) == new
    await viewer.close()


async def test_a_reader_that_does_not_keep_up_is_told_to_come_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "QUEUE", 5)
    first = await tell(world)
    numbers = await tell(world, 20)

    slow = await opened(world, world.viewer, f"after={first[0]}")
    assert (await slow.receive_output(5))["code"] == CLOSE_TOO_SLOW

    monkeypatch.setattr(live, "QUEUE", 1000)
    again = await opened(world, world.viewer, f"after={first[0]}")
    assert await received(again, 20) == numbers
    await again.close()


async def test_one_that_leaves_is_forgotten(world: World) -> None:
    viewer = await opened(world, world.viewer)
    assert live.registry().subscribers
    await viewer.close()

    assert live.registry().subscribers == {}


async def test_a_failing_read_is_tried_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    viewer = await opened(world, world.viewer)
    monkeypatch.setattr(live, "POLL_S", 0.1)
    read = live.read_after

    def broken(*arguments: int) -> list[tuple[int, bytes]]:
        monkeypatch.setattr(live, "read_after", read)
        raise RuntimeError("the database is away")

    monkeypatch.setattr(live, "read_after", broken)
    new = await tell(world)
    assert await received(viewer, 1) == new
    await viewer.close()


@pytest.mark.parametrize("ticks", range(5))
async def test_delivery_ends_when_the_process_does_even_while_it_is_woken(world: World, ticks: int) -> None:
    registry = live.Registry()
    pump = asyncio.create_task(registry._pump())
    for _ in range(3):
        await asyncio.sleep(0)
    registry._wake.set()
    for _ in range(ticks):
        await asyncio.sleep(0)
    pump.cancel()

    done, _ = await asyncio.wait([pump], timeout=live.POLL_S / 2)
    assert done


async def test_listening_ends_when_the_process_does_however_far_it_has_come(world: World) -> None:
    for ticks in range(40):
        listener = asyncio.create_task(Hints().listen())
        for _ in range(ticks):
            await asyncio.sleep(0)
        listener.cancel()

        done, _ = await asyncio.wait([listener], timeout=1)
        assert done, ticks
