from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone
from django_q.models import OrmQ

from apps.accounts.rights import Right
from apps.core.errors import ConflictError
from apps.jobs import services
from apps.jobs.events import JobCancelled, JobFailed, JobQueued, JobRetried
from apps.jobs.models import LEASE, Job, Queue, State
from tests.world import World

pytestmark = pytest.mark.django_db(databases="__all__")


@pytest.fixture
def woken(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The jobs whose wake-up was sent to the broker, which is not looked into here."""
    sent: list[int] = []
    monkeypatch.setattr(services, "wake", lambda job: sent.append(job.pk))
    return sent


def queued(world: World, **fields: object) -> Job:
    arguments = {"text": "hello"}
    return services.start(
        workspace=world.workspace,
        agent=world.agent,
        title="Echo",
        entry="tests.jobs.work.echo",
        arguments=arguments,
        right=Right.LABEL,
        **fields,  # type: ignore[arg-type]
    )


def told(job: Job) -> list[str]:
    return list(
        job.workspace.events.filter(data__job=job.pk).order_by("number").values_list("type", flat=True)
    )


def running(world: World, *, expired: bool = False, **fields: object) -> Job:
    job = queued(world)
    claimed = Job.claim(job.pk)
    assert claimed is not None
    lease = timezone.now() - timedelta(seconds=1) if expired else timezone.now() + LEASE
    Job.objects.filter(pk=job.pk).update(lease_until=lease, **fields)
    return Job.objects.get(pk=job.pk)


def test_it_queues_a_row_and_wakes_a_worker_after_the_commit(
    world: World, woken: list[int], django_capture_on_commit_callbacks: object
) -> None:
    with django_capture_on_commit_callbacks(execute=True):  # type: ignore[operator]
        job = queued(world, actor=world.curator)
        assert woken == []

    assert woken == [job.pk]
    assert (job.state, job.created_by, job.attempt) == (State.QUEUED, world.curator, 0)
    assert told(job) == [JobQueued.type]


@pytest.mark.django_db(transaction=True, databases="__all__")
def test_a_rollback_leaves_neither_row_nor_wake_up(world: World, woken: list[int]) -> None:
    with pytest.raises(RuntimeError), transaction.atomic():
        queued(world)
        raise RuntimeError

    assert (Job.objects.count(), woken) == (0, [])


@pytest.mark.django_db(transaction=True, databases="__all__")
def test_a_broker_that_is_down_does_not_fail_the_request(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def down(job: Job) -> None:
        raise ConnectionError("the broker is down")

    monkeypatch.setattr(services, "wake", down)
    assert queued(world).state == State.QUEUED


def test_a_job_is_claimed_once(world: World) -> None:
    job = queued(world)

    claimed = Job.claim(job.pk)
    assert claimed is not None
    assert (claimed.state, claimed.attempt) == (State.RUNNING, 1)
    assert Job.claim(job.pk) is None


def test_a_running_job_has_a_lease(world: World) -> None:
    job = running(world)

    with pytest.raises(IntegrityError), transaction.atomic():
        Job.objects.filter(pk=job.pk).update(lease_until=None)


def test_a_queued_job_is_cancelled_at_once(world: World) -> None:
    job = services.cancel(job=queued(world), actor=world.curator)

    assert job.state == State.CANCELLED
    assert Job.claim(job.pk) is None
    assert told(job) == [JobQueued.type, JobCancelled.type]


def test_a_running_job_is_asked_to_stop(world: World) -> None:
    job = services.cancel(job=running(world), actor=world.curator)

    assert job.state == State.RUNNING
    assert job.cancel_requested_at is not None


def test_an_ended_job_cannot_be_cancelled(world: World) -> None:
    job = services.cancel(job=queued(world), actor=None)

    with pytest.raises(ConflictError, match="already ended"):
        services.cancel(job=job, actor=None)


def test_a_cancelled_job_can_be_started_again(world: World) -> None:
    job = services.retry(job=services.cancel(job=queued(world), actor=None), actor=world.curator)

    assert (job.state, job.cancel_requested_at) == (State.QUEUED, None)
    assert Job.claim(job.pk) is not None
    assert told(job)[-1] == JobRetried.type


@pytest.mark.parametrize("state", [State.QUEUED, State.RUNNING, State.SUCCEEDED])
def test_only_what_failed_or_was_cancelled_can_be_started_again(world: World, state: State) -> None:
    job = running(world)
    Job.objects.filter(pk=job.pk).update(state=state)

    with pytest.raises(ConflictError):
        services.retry(job=job, actor=None)


def test_starting_again_never_reuses_an_attempts_number(world: World) -> None:
    job = running(world)
    assert job.end(State.FAILED)
    services.retry(job=job, actor=None)
    again = Job.claim(job.pk)

    assert again is not None
    assert again.attempt == 2
    assert again.max_attempts == 4
    assert not job.renew()


def test_the_sweep_queues_a_job_whose_worker_died(world: World, woken: list[int]) -> None:
    job = running(world, expired=True)

    assert services.sweep() == 1
    job.refresh_from_db()
    assert (job.state, job.attempt, job.lease_until) == (State.QUEUED, 1, None)
    assert told(job)[-1] == JobRetried.type
    assert services.sweep() == 0


def test_the_sweep_leaves_a_living_job_alone(world: World) -> None:
    job = running(world)

    assert services.sweep() == 0
    job.refresh_from_db()
    assert job.state == State.RUNNING


def test_a_job_whose_worker_dies_every_time_fails_in_the_end(world: World) -> None:
    job = running(world, expired=True, attempt=3)

    services.sweep()
    job.refresh_from_db()
    assert job.state == State.FAILED
    assert "worker died" in job.error
    assert told(job)[-1] == JobFailed.type


def test_a_job_that_was_to_stop_when_its_worker_died_is_cancelled(world: World) -> None:
    job = services.cancel(job=running(world), actor=None)
    Job.objects.filter(pk=job.pk).update(lease_until=timezone.now() - timedelta(seconds=1))

    services.sweep()
    job.refresh_from_db()
    assert job.state == State.CANCELLED


def test_a_cancel_that_races_with_the_sweep_is_not_lost(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = running(world, expired=True)
    stale = Job.objects.get(pk=job.pk)
    services.cancel(job=job, actor=None)

    services._requeue(stale)
    job.refresh_from_db()
    assert job.state == State.RUNNING
    services.sweep()
    job.refresh_from_db()
    assert job.state == State.CANCELLED


def test_a_forgotten_wake_up_is_sent_again_once_in_a_while(world: World, woken: list[int]) -> None:
    job = queued(world)
    Job.objects.filter(pk=job.pk).update(
        woken_at=timezone.now() - services.FORGOTTEN_AFTER - timedelta(seconds=1)
    )

    assert services.sweep() == 1
    assert services.sweep() == 0
    assert woken == [job.pk]


@pytest.mark.django_db(transaction=True, databases="__all__")
def test_the_wake_up_reaches_the_broker_of_its_queue(world: World, settings: object) -> None:
    if settings.REDIS_URL:  # type: ignore[attr-defined]
        pytest.skip("the broker is Redis; tests/end_to_end/test_kills.py runs it")
    OrmQ.objects.all().delete()
    queued(world, queue=Queue.GPU)

    assert [row.key for row in OrmQ.objects.all()] == ["gpu"]


def test_the_rest_of_the_time_is_told_from_what_is_done(world: World) -> None:
    job = running(world, started_at=timezone.now() - timedelta(seconds=30), done=3, total=4)

    assert job.eta_seconds == pytest.approx(10, abs=1)
