"""One job in a worker, from the claim to the end."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from apps.accounts.rights import Right
from apps.jobs import runner, services
from apps.jobs.events import JobCancelled, JobFailed, JobFinished, JobProgressed, JobQueued, JobStarted
from apps.jobs.models import Job, State
from tests.servers import eventually, gone
from tests.world import World

pytestmark = pytest.mark.django_db(transaction=True, databases="__all__")


def queued(world: World, entry: str, **arguments: Any) -> Job:
    return services.start(
        workspace=world.workspace,
        title="Work",
        entry=f"tests.jobs.work.{entry}",
        arguments=arguments,
        right=Right.LABEL,
    )


def ended(job: Job) -> Job:
    job.refresh_from_db()
    return job


def told(job: Job) -> list[str]:
    return list(
        job.workspace.events.filter(data__job=job.pk).order_by("number").values_list("type", flat=True)
    )


def in_thread(work: Callable[[], object]) -> threading.Thread:
    def run() -> None:
        try:
            work()
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def test_it_runs_a_job_to_its_end(world: World) -> None:
    job = queued(world, "echo", text="hello")

    assert runner.run(job.pk) == "succeeded"
    job = ended(job)
    assert (job.state, job.result, job.lease_until) == (State.SUCCEEDED, {"said": "hello"}, None)
    assert [line.text for line in job.lines.all()] == ["saying hello"]
    assert told(job) == [
        JobQueued.type,
        JobStarted.type,
        JobProgressed.type,
        JobFinished.type,
    ]


def test_three_wake_ups_at_once_run_it_once(world: World) -> None:
    job = queued(world, "echo", text="once")
    outcomes: list[str] = []
    threads = [in_thread(lambda: outcomes.append(runner.run(job.pk))) for _ in range(3)]
    for thread in threads:
        thread.join()

    assert sorted(outcomes) == ["skipped", "skipped", "succeeded"]
    assert ended(job).attempt == 1
    assert job.lines.count() == 1


def test_what_a_person_can_mend_is_shown_with_its_hint(world: World) -> None:
    job = queued(world, "refuse")

    assert runner.run(job.pk) == "failed"
    assert ended(job).error == "Too few rows. Collect 12 more."
    assert told(job)[-1] == JobFailed.type


def test_a_bug_fails_the_job_and_leaves_its_trace_in_the_log(world: World) -> None:
    job = queued(world, "break_down")

    assert runner.run(job.pk) == "failed"
    assert ended(job).error == "ZeroDivisionError: a bug"
    assert "break_down" in job.lines.get().text


def test_an_entry_that_is_not_there_fails_the_job(world: World) -> None:
    job = queued(world, "nothing_here")

    assert runner.run(job.pk) == "failed"
    assert "nothing_here" in ended(job).error


def test_progress_is_told_at_most_twice_a_second(world: World) -> None:
    job = queued(world, "many_steps", steps=60, pause=0.02)

    started = time.monotonic()
    runner.run(job.pk)
    seconds = time.monotonic() - started
    assert 1 <= told(job).count(JobProgressed.type) <= seconds / runner.PROGRESS_EVERY_S + 1


def test_progress_without_a_known_total_is_told_no_more_often(world: World) -> None:
    job = queued(world, "echo", text="x")
    claimed = Job.claim(job.pk)
    assert claimed is not None
    context = runner.JobContext(claimed)
    for step in range(20):
        context.progress(step, 0)

    assert told(job).count(JobProgressed.type) == 1


def test_a_long_job_keeps_its_lease(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    job = queued(world, "many_steps", steps=5, pause=0.3)
    thread = in_thread(lambda: runner.run(job.pk))
    first = eventually(lambda: ended(job).lease_until)
    eventually(lambda: ended(job).lease_until and ended(job).lease_until > first)
    thread.join()

    assert ended(job).state == State.SUCCEEDED


@pytest.mark.slow
def test_a_cancel_ends_the_child_and_its_children_within_a_second(world: World, tmp_path: Path) -> None:
    job = queued(world, "family", folder=str(tmp_path))
    thread = in_thread(lambda: runner.run(job.pk))
    files = [tmp_path / "child", tmp_path / "grandchild"]
    eventually(lambda: all(file.exists() and file.read_text() for file in files))
    pids = [int(file.read_text()) for file in files]

    asked_at = time.monotonic()
    services.cancel(job=job, actor=None)
    eventually(lambda: all(gone(pid) for pid in pids), every=0.02)
    seconds = time.monotonic() - asked_at
    thread.join()
    print(f"cancelled after {seconds:.2f} s")
    assert seconds < 1.5  # asked within 0.7 s; the rest is this machine's load
    assert ended(job).state == State.CANCELLED
    assert told(job)[-1] == JobCancelled.type


def test_a_job_that_was_cancelled_before_it_started_does_not_start(world: World) -> None:
    job = services.cancel(job=queued(world, "echo", text="x"), actor=None)

    assert runner.run(job.pk) == "skipped"


def expire(job: Job) -> None:
    Job.objects.filter(pk=job.pk).update(lease_until=timezone.now() - services.FORGOTTEN_AFTER)


def test_after_the_lease_another_attempt_finishes_and_the_first_writes_nothing(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = queued(world, "deaf", folder=str(tmp_path))
    monkeypatch.setattr(runner, "HEARTBEAT_S", 60)  # the first worker hangs: it renews nothing
    outcomes: list[str] = []
    first = in_thread(lambda: outcomes.append(runner.run(job.pk)))
    eventually((tmp_path / "started").exists)
    monkeypatch.setattr(runner, "HEARTBEAT_S", 0.5)

    expire(job)
    assert services.sweep() == 1
    assert runner.run(job.pk) == "succeeded"
    events, lines = told(job), job.lines.count()
    (tmp_path / "go").touch()
    first.join()

    assert outcomes == ["fenced"]
    assert (tmp_path / "refused").read_text().split() == ["LeaseLostError", "LeaseLostError"]
    job = ended(job)
    assert (job.state, job.attempt, job.result, job.note) == (State.SUCCEEDED, 2, {"by": 2}, "")
    assert (told(job), job.lines.count()) == (events, lines)


def test_a_worker_that_lost_its_lease_notices_by_itself(world: World, tmp_path: Path) -> None:
    job = queued(world, "slow_at_first", folder=str(tmp_path))
    outcomes: list[str] = []
    first = in_thread(lambda: outcomes.append(runner.run(job.pk)))
    eventually(lambda: (tmp_path / "trail").exists())
    Job.objects.filter(pk=job.pk).update(state=State.QUEUED, lease_until=None)

    assert runner.run(job.pk) == "succeeded"
    first.join(10)
    assert outcomes == ["fenced"]
    assert ended(job).result == {"by": 2}
