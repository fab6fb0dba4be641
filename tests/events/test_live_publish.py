"""Numbers without gaps, in the order of the commits, whoever writes."""

from __future__ import annotations

import threading

import pytest
from django.db import connection, transaction

from apps.events.models import Event, Sequence
from apps.events.services import OutsideTransactionError, publish
from tests.events.facts import Ticked
from tests.world import World

pytestmark = pytest.mark.django_db(transaction=True, databases="__all__")


def numbers(world: World) -> list[int]:
    return list(
        Event.objects.filter(workspace=world.workspace).order_by("pk").values_list("number", flat=True)
    )


def publish_one(world: World, writer: int = 0, count: int = 0) -> Event:
    with transaction.atomic():
        return publish(Ticked(writer=writer, count=count), workspace=world.workspace)


def test_numbers_follow_each_other(world: World) -> None:
    last = numbers(world)[-1]

    assert [publish_one(world).number for _ in range(3)] == [last + 1, last + 2, last + 3]


def test_concurrent_writers_leave_no_gap(world: World) -> None:
    Event.objects.all().delete()
    world.workspace.event_sequence.delete()
    failures: list[BaseException] = []

    def write(writer: int) -> None:
        try:
            for count in range(25):
                publish_one(world, writer=writer, count=count)
        except BaseException as error:
            failures.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=write, args=(writer,)) for writer in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failures == []
    assert sorted(numbers(world)) == list(range(1, 101))
    for writer in range(4):
        own = Event.objects.filter(data__writer=writer).order_by("number")
        assert [event.data["count"] for event in own] == list(range(25))


def test_a_number_becomes_visible_only_after_all_smaller_ones(world: World) -> None:
    """A reader that has seen number n will never again find one below it."""
    stop, gaps = threading.Event(), []

    def watch() -> None:
        while not stop.is_set():
            seen = sorted(Event.objects.filter(workspace=world.workspace).values_list("number", flat=True))
            if seen and seen != list(range(1, seen[-1] + 1)):
                gaps.append(seen)
        connection.close()

    def write() -> None:
        for _ in range(20):
            publish_one(world)
        connection.close()

    threads = [threading.Thread(target=watch), *(threading.Thread(target=write) for _ in range(3))]
    for thread in threads:
        thread.start()
    for thread in threads[1:]:
        thread.join()
    stop.set()
    threads[0].join()

    assert gaps == []


def test_each_workspace_counts_for_itself(world: World) -> None:
    before = Sequence.objects.get(workspace=world.elsewhere).last
    publish_one(world)

    assert Sequence.objects.get(workspace=world.elsewhere).last == before


def test_it_refuses_to_publish_outside_a_transaction(world: World) -> None:
    before = numbers(world)

    with pytest.raises(OutsideTransactionError):
        publish(Ticked(), workspace=world.workspace)
    assert numbers(world) == before


def test_a_rollback_publishes_nothing_and_uses_no_number(world: World) -> None:
    before = numbers(world)

    with pytest.raises(RuntimeError), transaction.atomic():
        publish(Ticked(), workspace=world.workspace)
        raise RuntimeError
    assert numbers(world) == before
    assert publish_one(world).number == before[-1] + 1
