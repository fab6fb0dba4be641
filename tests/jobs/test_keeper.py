"""The watchdog of the queue clusters and the round of the keeper's duties."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.conf import settings
from django.utils import timezone

from apps.jobs import keeper
from apps.jobs.keeper import HUNG_AFTER_S, PING_EVERY_S, Watchdog, heartbeat_file, pong, restart_request
from apps.jobs.models import LEASE, Job, Queue, State
from tests.world import World


@pytest.fixture(autouse=True)
def clean_files() -> Iterator[None]:
    yield
    for queue in Queue:
        heartbeat_file(queue).unlink(missing_ok=True)
        restart_request(queue).unlink(missing_ok=True)


@pytest.fixture
def pings(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    sent: list[float] = []
    monkeypatch.setattr(
        Watchdog, "_ping", lambda dog, now: (sent.append(now), setattr(dog, "pinged_at", now))
    )
    return sent


class Clock:
    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = time.time()
        monkeypatch.setattr(keeper.time, "time", lambda: self.now)

    def watch(self, dog: Watchdog, seconds: float, *, answers: bool) -> None:
        """Lets time pass, two seconds a look; a cluster that is well answers each look."""
        end = self.now + seconds
        while self.now < end:
            self.now += 2
            dog.look()
            if answers:
                heartbeat_file(dog.queue).touch()
                os.utime(heartbeat_file(dog.queue), (self.now, self.now))


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def test_a_cluster_that_answers_is_left_alone(db: None, clock: Clock, pings: list[float]) -> None:
    clock.watch(Watchdog(Queue.GPU), 10 * HUNG_AFTER_S, answers=True)

    assert not restart_request(Queue.GPU).exists()
    assert len(pings) == pytest.approx(10 * HUNG_AFTER_S / PING_EVERY_S, rel=0.3)


def test_a_cluster_that_hangs_is_to_be_restarted_once(db: None, clock: Clock, pings: list[float]) -> None:
    dog = Watchdog(Queue.GPU)
    clock.watch(dog, HUNG_AFTER_S - 5, answers=False)
    assert not restart_request(Queue.GPU).exists()

    clock.watch(dog, 10, answers=False)
    assert restart_request(Queue.GPU).exists()
    restart_request(Queue.GPU).unlink()
    clock.watch(dog, HUNG_AFTER_S - 10, answers=False)
    assert not restart_request(Queue.GPU).exists()


def test_a_lost_ping_is_no_reason(db: None, clock: Clock, pings: list[float]) -> None:
    dog = Watchdog(Queue.GPU)
    clock.watch(dog, 2 * PING_EVERY_S, answers=False)
    clock.watch(dog, 3 * HUNG_AFTER_S, answers=True)

    assert not restart_request(Queue.GPU).exists()


def test_a_cluster_that_works_is_not_asked(world: World, clock: Clock, pings: list[float]) -> None:
    Job.objects.create(
        workspace=world.workspace,
        title="t",
        entry="e",
        queue=Queue.GPU,
        state=State.RUNNING,
        lease_until=timezone.now() + LEASE + timedelta(hours=1),
    )
    clock.watch(Watchdog(Queue.GPU), 3 * HUNG_AFTER_S, answers=False)

    assert pings == []
    assert not restart_request(Queue.GPU).exists()


def test_the_others_work_does_not_count(world: World, clock: Clock, pings: list[float]) -> None:
    Job.objects.create(
        workspace=world.workspace,
        title="t",
        entry="e",
        queue=Queue.DEFAULT,
        state=State.RUNNING,
        lease_until=timezone.now() + LEASE + timedelta(hours=1),
    )
    clock.watch(Watchdog(Queue.GPU), HUNG_AFTER_S + 5, answers=False)

    assert restart_request(Queue.GPU).exists()


def test_the_files_are_those_that_the_supervisor_looks_for() -> None:
    assert restart_request(Queue.GPU).name == "restart-worker-gpu"
    pong("default")
    assert heartbeat_file(Queue.DEFAULT).exists()


def test_a_duty_that_fails_does_not_keep_the_others_from_theirs(
    db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []

    def broken() -> None:
        done.append("broken")
        raise RuntimeError("a bug")

    monkeypatch.setattr(keeper, "IDLE_S", 0)
    monkeypatch.setattr(keeper, "duties", lambda: [(broken, 0.0), (lambda: done.append("well"), 0.0)])
    keeper.keep(until=lambda: len(done) >= 6)

    assert done == ["broken", "well"] * 3


def test_a_duty_runs_as_often_as_it_is_due(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    monkeypatch.setattr(keeper, "IDLE_S", 0.01)
    monkeypatch.setattr(
        keeper, "duties", lambda: [(lambda: done.append("often"), 0.0), (lambda: done.append("rare"), 60)]
    )
    end = time.monotonic() + 0.3
    keeper.keep(until=lambda: time.monotonic() > end)

    assert done.count("rare") == 1
    assert done.count("often") > 5


def test_the_duties_are_the_watchdogs_and_what_the_settings_name() -> None:
    duties = [duty for duty, _ in keeper.duties()]
    names = [f"{duty.__module__}.{getattr(duty, '__qualname__', '')}" for duty in duties]

    assert names.count("apps.jobs.keeper.Watchdog.look") == len(Queue)
    assert {name for name, _ in settings.KEEPER} <= set(names)
