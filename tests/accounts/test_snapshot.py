"""What is kept in memory is read anew at once for a key that is not known, and not more often than that."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable
from datetime import datetime

import pytest
from asgiref.sync import sync_to_async

from apps.accounts import snapshot
from apps.accounts.models import ApiKey
from apps.accounts.rights import Scope
from apps.accounts.snapshot import RENEW_EVERY_S, STALENESS_S, Kept, Keys
from apps.team.services import create_api_key
from tests.world import World


class Shelf:
    """Something to read that can change, be slow and fail."""

    def __init__(self) -> None:
        self.value = 0
        self.began: list[float] = []
        self.open = threading.Event()
        self.open.set()
        self.error: Exception | None = None

    def read(self) -> int:
        self.began.append(time.monotonic())
        value = self.value
        self.open.wait(5)
        if self.error:
            raise self.error
        return value


@pytest.fixture
def shelf(monkeypatch: pytest.MonkeyPatch) -> Shelf:
    monkeypatch.setattr(snapshot, "REFRESH_S", 60.0)
    return Shelf()


@pytest.fixture
async def kept(shelf: Shelf) -> AsyncIterator[Kept[int]]:
    kept = Kept(shelf.read, -1)
    await kept.start()
    yield kept
    shelf.open.set()
    await kept.stop()


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not true():
            await asyncio.sleep(0.005)


async def test_what_changed_a_moment_ago_is_there_after_a_renewal(shelf: Shelf, kept: Kept[int]) -> None:
    shelf.value = 7
    began = time.monotonic()
    await kept.renew()
    assert kept.current == 7
    assert time.monotonic() - began < 3 * RENEW_EVERY_S


async def test_many_who_ask_share_few_readings(shelf: Shelf, kept: Kept[int]) -> None:
    began = time.monotonic()
    while time.monotonic() - began < 5 * RENEW_EVERY_S:
        await asyncio.gather(*(kept.renew() for _ in range(50)))
    pauses = [after - before for before, after in zip(shelf.began, shelf.began[1:], strict=False)]
    assert len(pauses) >= 2
    assert min(pauses) > 0.9 * RENEW_EVERY_S


async def test_who_asks_while_a_reading_runs_waits_for_the_next(shelf: Shelf, kept: Kept[int]) -> None:
    shelf.open.clear()
    first = asyncio.create_task(kept.renew())
    await until(lambda: len(shelf.began) == 2)
    shelf.value = 7  # too late for the reading that runs
    second = asyncio.create_task(kept.renew())
    await asyncio.sleep(0.01)
    shelf.open.set()
    await first
    assert kept.current == 0
    await second
    assert kept.current == 7


async def test_a_database_that_hangs_holds_nobody_up_for_long(shelf: Shelf, kept: Kept[int]) -> None:
    shelf.value = 7
    shelf.open.clear()
    began = time.monotonic()
    await kept.renew()
    assert STALENESS_S <= time.monotonic() - began < 2 * STALENESS_S
    assert kept.current == 0


async def test_a_reading_that_fails_leaves_what_is_known_and_the_next_one_mends_it(
    shelf: Shelf, kept: Kept[int]
) -> None:
    shelf.value, shelf.error = 7, OSError("gone")
    await kept.renew()
    assert kept.current == 0
    shelf.error = None
    await kept.renew()
    assert kept.current == 7


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
