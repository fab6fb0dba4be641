"""Start, cancel, retry, sweep. The only module that names django-q2 outside the settings."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils import timezone

from apps.accounts.models import Agent, User, Workspace
from apps.accounts.rights import Right
from apps.core.errors import ConflictError
from apps.events.services import publish
from apps.jobs.events import JobCancelled, JobFact, JobFailed, JobQueued, JobRetried
from apps.jobs.models import MOST_ATTEMPTS, Job, Queue, State

FORGOTTEN_AFTER = timedelta(seconds=30)


class AlreadyRunningError(ConflictError):
    """The very same work is queued or running; `job` is what does it, so that a second click leads there."""

    def __init__(self, job: Job) -> None:
        super().__init__(f"“{job.title}” is under way already.", hint="Wait for it, or stop its job.")
        self.job = job


@transaction.atomic
def start(
    *,
    workspace: Workspace,
    title: str,
    entry: str,
    arguments: dict[str, Any],
    right: Right,
    exclusive_key: str = "",
    agent: Agent | None = None,
    actor: User | None = None,
    queue: Queue = Queue.DEFAULT,
    url: str = "",
) -> Job:
    """A queued job; its wake-up is sent when the transaction commits.

    `right` is the least right of who may stop it or start it again. Call it in the transaction of the row
    that the job works on: AlreadyRunningError, raised while another job holds `exclusive_key`, undoes both.
    """
    job = Job(
        workspace=workspace,
        agent=agent,
        title=title[:200],
        entry=entry,
        arguments=arguments,
        right=right,
        exclusive_key=exclusive_key,
        queue=queue,
        url=url,
        created_by=actor,
    )
    with _refusing_a_second(job):
        job.save(force_insert=True)
    publish_state(job, JobQueued, actor=actor)
    _wake_on_commit(job)
    return job


@contextlib.contextmanager
def _refusing_a_second(job: Job) -> Iterator[None]:
    """The database decides who comes first; a look beforehand would leave a gap between look and write."""
    try:
        with transaction.atomic():
            yield
    except IntegrityError:
        holders = Job.objects.open().filter(workspace_id=job.workspace_id, exclusive_key=job.exclusive_key)
        holder = holders.exclude(exclusive_key="").first()
        if holder is None:
            raise
        raise AlreadyRunningError(holder) from None


def wake(job: Job) -> None:
    """Sends the hint that makes a worker look at the row. Safe to send twice."""
    from django_q.tasks import async_task

    options = {"cluster": job.queue, "ack_failure": True, "task_name": f"job-{job.pk}"}
    async_task("apps.jobs.runner.run", job.pk, q_options=options)


def _wake_on_commit(job: Job) -> None:
    # A broker that is down must not fail the request: the row is there, and the sweep wakes it again.
    transaction.on_commit(lambda: wake(job), robust=True)


@transaction.atomic
def cancel(*, job: Job, actor: User | None) -> Job:
    """A queued job ends at once; a running one is asked to stop and its process group ends."""
    now = timezone.now()
    if Job.objects.filter(pk=job.pk, state=State.QUEUED).update(
        state=State.CANCELLED, finished_at=now, cancel_requested_at=now
    ):
        publish_state(job, JobCancelled, actor=actor)
    elif not Job.objects.filter(pk=job.pk, state=State.RUNNING).update(cancel_requested_at=now):
        raise ConflictError("This job has already ended.")
    job.refresh_from_db()
    return job


@transaction.atomic
def retry(*, job: Job, actor: User | None) -> Job:
    """Queues an ended job again under the same row, for as many attempts as at first.

    Raises ConflictError, and AlreadyRunningError when the same work was started under another row since.
    """
    with _refusing_a_second(job):
        # Attempt numbers only grow: an attempt that hung since must stay fenced.
        moved = Job.objects.filter(pk=job.pk, state__in=[State.FAILED, State.CANCELLED]).update(
            state=State.QUEUED,
            cancel_requested_at=None,
            finished_at=None,
            error="",
            max_attempts=F("attempt") + MOST_ATTEMPTS,
            woken_at=timezone.now(),
        )
    if not moved:
        raise ConflictError("Only a failed or cancelled job can be started again.")
    job.refresh_from_db()
    publish_state(job, JobRetried, actor=actor)
    _wake_on_commit(job)
    return job


def sweep() -> int:
    """Requeues jobs whose worker died and wakes those whose hint was lost; returns how many."""
    swept = [_requeue(job) for job in Job.objects.expired().select_related("workspace", "agent")]
    forgotten = list(Job.objects.forgotten(FORGOTTEN_AFTER))
    for job in forgotten:
        Job.objects.filter(pk=job.pk, state=State.QUEUED).update(woken_at=timezone.now())
        wake(job)
    return sum(swept) + len(forgotten)


@transaction.atomic
def _requeue(job: Job) -> bool:
    expired = Job.objects.expired().filter(pk=job.pk, attempt=job.attempt)
    now = timezone.now()
    kind: type[JobFact]
    if job.cancel_requested_at:
        moved = expired.update(state=State.CANCELLED, finished_at=now, lease_until=None)
        kind = JobCancelled
    elif job.attempt >= job.max_attempts:
        error = f"The worker died while it ran this job; this was attempt {job.attempt}, the last."
        moved = expired.update(state=State.FAILED, finished_at=now, lease_until=None, error=error)
        kind = JobFailed
    else:
        # A cancel that came in meanwhile is for the next sweep: nobody claims a row with a cancel.
        uncancelled = expired.filter(cancel_requested_at__isnull=True)
        moved = uncancelled.update(state=State.QUEUED, lease_until=None, woken_at=now)
        kind = JobRetried
    if moved:
        job.refresh_from_db()
        publish_state(job, kind)
        if job.state == State.QUEUED:
            _wake_on_commit(job)
    return bool(moved)


def publish_state(job: Job, kind: type[JobFact], *, actor: User | None = None) -> None:
    fact = kind(job=job.pk, title=job.title, url=job.url)
    publish(fact, workspace=job.workspace, agent=job.agent, actor=actor)
