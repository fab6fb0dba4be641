"""Facts that would flood the log: one row an hour and agent, and yet every one of them wakes the pages."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pytest
from asgiref.sync import sync_to_async
from django.db import connection, transaction
from django.utils import timezone

from apps.accounts.models import Agent
from apps.events.models import Event, Sequence
from apps.events.services import publish
from apps.ingest.events import TracesIngested
from apps.team.services import create_agent
from tests.events.facts import Ticked
from tests.events.socket import Socket
from tests.events.test_facts import stored
from tests.world import World

pytestmark = pytest.mark.django_db(transaction=True, databases="__all__")
NOON = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)


class Clock:
    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(timezone, "now", clock)
    return clock


def took_in(world: World, accepted: int, *, agent: Agent | None = None, source: str = "otlp") -> Event:
    with transaction.atomic():
        fact = TracesIngested(accepted=accepted, source=source)
        return publish(fact, workspace=world.workspace, agent=agent or world.agent)


def lines(world: World) -> list[tuple[str, int]]:
    rows = world.workspace.events.filter(type=TracesIngested.type).order_by("number")
    return [(str(row.agent), row.data["accepted"]) for row in rows]


def test_a_thousand_batches_of_an_hour_are_one_line_with_the_count(world: World, clock: Clock) -> None:
    before = Sequence.objects.get(workspace=world.workspace).last
    for count in range(1000):
        clock.now = NOON + count * timedelta(hours=1) / 1000
        last = took_in(world, 3)
    assert lines(world) == [("Support desk", 3000)]
    assert (last.number, last.at) == (before + 1000, clock.now)
    page = world.client(world.viewer).get(world.workspace_url("events:activity")).content.decode()
    assert page.count("3,000 calls") == 1


def test_the_next_hour_another_agent_and_another_source_have_lines_of_their_own(
    world: World, clock: Clock
) -> None:
    other = create_agent(workspace=world.workspace, name="Other", actor=world.owner)
    for hour in range(2):
        clock.now = NOON + timedelta(hours=hour, minutes=59)
        for _ in range(2):
            took_in(world, 1)
            took_in(world, 10, agent=other)
            took_in(world, 100, source="upload")
    hour_of_lines = [("Support desk", 2), ("Other", 20), ("Support desk", 200)]
    assert lines(world) == hour_of_lines * 2


def test_a_figure_that_only_some_have_adds_up_too(world: World, clock: Clock) -> None:
    for fact in (
        TracesIngested(accepted=1, source="otlp"),
        TracesIngested(accepted=0, source="otlp", completed=2),
        TracesIngested(accepted=0, source="otlp", completed=3),
    ):
        with transaction.atomic():
            last = publish(fact, workspace=world.workspace, agent=world.agent)
    assert last.data == {"accepted": 1, "source": "otlp", "completed": 5}


def test_a_line_of_another_shape_is_left_alone(world: World, clock: Clock) -> None:
    stored(world, TracesIngested.type, {"calls": 5})
    took_in(world, 2)
    assert [row.data for row in world.workspace.events.filter(type=TracesIngested.type)] == [
        {"accepted": 2, "source": "otlp"},
        {"calls": 5},
    ]


def test_a_rollback_takes_its_figures_back(world: World, clock: Clock) -> None:
    line = took_in(world, 2)
    with pytest.raises(RuntimeError), transaction.atomic():
        took_in(world, 5)
        raise RuntimeError
    line.refresh_from_db()
    assert (lines(world), line.number) == ([("Support desk", 2)], line.number)
    assert took_in(world, 1).number == line.number + 1


def test_writers_at_the_same_time_lose_no_figure(world: World, clock: Clock) -> None:
    before = Sequence.objects.get(workspace=world.workspace).last
    failures: list[BaseException] = []

    def write() -> None:
        try:
            for _ in range(25):
                took_in(world, 1)
        except BaseException as error:
            failures.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert lines(world) == [("Support desk", 100)]
    assert Sequence.objects.get(workspace=world.workspace).last == before + 100


async def test_every_batch_wakes_the_pages(world: World, clock: Clock) -> None:
    viewer = Socket(world.workspace.slug, world.viewer)
    await viewer.open()
    heard = []
    for _ in range(5):
        await sync_to_async(took_in)(world, 2)
        message = await viewer.hear()
        heard.append((message["type"], message["data"]["accepted"]))
    assert heard == [("traces.ingested", total) for total in (2, 4, 6, 8, 10)]
    await viewer.close()


async def test_who_comes_back_hears_of_all_that_came_meanwhile_and_in_order(
    world: World, clock: Clock
) -> None:
    """A row that was joined is told behind what happened before its last figure, and never again."""
    first = await sync_to_async(took_in)(world, 1)
    with_number = f"after={first.number}"
    tick = await sync_to_async(_ticked)(world)
    for _ in range(3):
        last = await sync_to_async(took_in)(world, 1)

    viewer = Socket(world.workspace.slug, world.viewer, with_number)
    await viewer.open()
    messages = [await viewer.hear(), await viewer.hear()]
    assert [message["seq"] for message in messages] == [tick.number, last.number]
    assert messages[1]["data"]["accepted"] == 4
    assert await viewer.receive_nothing(timeout=0.3)
    await viewer.close()


def _ticked(world: World) -> Event:
    with transaction.atomic():
        return publish(Ticked(), workspace=world.workspace)
