"""What is kept in memory is read anew when its revision has moved, and looked at no more often than that."""

from __future__ import annotations

import asyncio
import threading
import time
import uuid
from collections.abc import AsyncIterator, Callable
from datetime import datetime

import pytest
from asgiref.sync import sync_to_async

from apps.accounts import refreshing, revision
from apps.accounts.models import ApiKey
from apps.accounts.refreshing import CHECK_EVERY_S, LONGEST_WAIT_S, RefreshingSnapshot
from apps.accounts.rights import Scope
from apps.accounts.snapshot import Keys
from apps.team.services import create_api_key
from tests.world import World

Kept = RefreshingSnapshot[int]


class Shelf:
    """Something to read that can change, be slow and fail."""

    def __init__(self) -> None:
        self.value = 0
        self.stamp = uuid.uuid4()
        self.looked: list[float] = []
        self.readings = 0
        self.open = threading.Event()
        self.open.set()
        self.error: Exception | None = None

    def put(self, value: int) -> None:
        self.value, self.stamp = value, uuid.uuid4()

    def look(self) -> uuid.UUID:
        self.looked.append(time.monotonic())
        return self.stamp

    def read(self) -> int:
        self.readings += 1
        value = self.value
        self.open.wait(5)
        if self.error:
            raise self.error
        return value


@pytest.fixture
def shelf(monkeypatch: pytest.MonkeyPatch, db: None) -> Shelf:
    shelf = Shelf()
    monkeypatch.setattr(refreshing, "POLL_S", 60.0)
    monkeypatch.setattr(revision, "current", shelf.look)
    return shelf


@pytest.fixture
async def kept(shelf: Shelf) -> AsyncIterator[Kept]:
    kept = RefreshingSnapshot(shelf.read, -1)
    await kept.start()
    yield kept
    shelf.open.set()
    await kept.stop()


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not true():
            await asyncio.sleep(0.005)


async def test_what_changed_a_moment_ago_is_there_after_a_renewal(shelf: Shelf, kept: Kept) -> None:
    shelf.put(7)
    began = time.monotonic()
    await kept.renew()
    assert kept.current == 7
    assert time.monotonic() - began < 3 * CHECK_EVERY_S


async def test_many_who_ask_share_few_looks(shelf: Shelf, kept: Kept) -> None:
    began = time.monotonic()
    while time.monotonic() - began < 5 * CHECK_EVERY_S:
        await asyncio.gather(*(kept.renew() for _ in range(50)))
    pauses = [after - before for before, after in zip(shelf.looked, shelf.looked[1:], strict=False)]
    assert len(pauses) >= 2
    assert min(pauses) > 0.9 * CHECK_EVERY_S


async def test_who_asks_while_a_reading_runs_waits_for_the_next(shelf: Shelf, kept: Kept) -> None:
    shelf.open.clear()
    shelf.stamp = uuid.uuid4()
    first = asyncio.create_task(kept.renew())
    await until(lambda: shelf.readings == 2)
    shelf.put(7)  # too late for the reading that runs
    second = asyncio.create_task(kept.renew())
    await asyncio.sleep(0.01)
    shelf.open.set()
    await first
    assert kept.current == 0
    await second
    assert kept.current == 7


async def test_a_database_that_hangs_holds_nobody_up_for_long(shelf: Shelf, kept: Kept) -> None:
    shelf.put(7)
    shelf.open.clear()
    began = time.monotonic()
    await kept.renew()
    assert LONGEST_WAIT_S <= time.monotonic() - began < 2 * LONGEST_WAIT_S
    assert kept.current == 0


async def test_a_reading_that_fails_leaves_what_is_known_and_the_next_one_mends_it(
    shelf: Shelf, kept: Kept
) -> None:
    shelf.put(7)
    shelf.error = OSError("gone")
    await kept.renew()
    assert kept.current == 0
    shelf.error = None
    await kept.renew()
    assert kept.current == 7


async def test_what_has_not_changed_is_not_read_again(
    shelf: Shelf, kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    await kept.renew()
    assert (len(shelf.looked), shelf.readings) == (2, 1)

    # Now and then it is, for who has changed the database by hand.
    monkeypatch.setattr(refreshing, "REREAD_EVERY_S", 0.0)
    await kept.renew()
    assert shelf.readings == 2


async def test_a_hint_wakes_it_and_many_hints_cost_few_looks(shelf: Shelf, kept: Kept) -> None:
    shelf.put(7)
    began = time.monotonic()
    while time.monotonic() - began < 5 * CHECK_EVERY_S:
        kept.hint()
        await asyncio.sleep(0.001)
    assert kept.current == 7
    assert shelf.readings == 2
    assert 3 <= len(shelf.looked) <= 8


@pytest.mark.django_db(transaction=True)
async def test_the_last_use_of_a_key_is_noted_beside_the_requests(world: World) -> None:
    used, secret = await sync_to_async(key)(world)
    idle, _ = await sync_to_async(key)(world)
    keys = Keys()
    await keys.start()
    for _ in range(3):
        assert await keys.found([secret]) is not None
    assert await keys.found(["hub_unknown"]) is None
    assert await last_use(used) is None
    await keys.stop()
    assert await last_use(used) is not None
    assert await last_use(idle) is None


def key(world: World) -> tuple[ApiKey, str]:
    return create_api_key(workspace=world.workspace, name="k", scopes=[Scope.INGEST], actor=world.admin)


async def last_use(row: ApiKey) -> datetime | None:
    await row.arefresh_from_db()
    return row.last_used_at
