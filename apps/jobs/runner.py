"""Runs one job inside a queue worker: claim, heartbeat, work, end."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from typing import Any

from django.db import close_old_connections, connection, transaction
from django.utils.module_loading import import_string

from apps.core.errors import HubError
from apps.events.services import publish
from apps.jobs.events import JobCancelled, JobFact, JobFailed, JobFinished, JobProgressed, JobStarted
from apps.jobs.models import Job, JobLine, State
from apps.jobs.services import publish_state

HEARTBEAT_S = 0.5
PROGRESS_EVERY_S = 0.5

log = logging.getLogger(__name__)


class JobCancelledError(Exception):
    """A person asked this job to stop."""


class LeaseLostError(Exception):
    """Another attempt owns this job now; this one must not write any more."""


class JobContext:
    """What a job's function gets: fenced writes, progress, log, and the question whether to go on."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.stop = threading.Event()
        self.fenced = threading.Event()
        self.cancelled = threading.Event()
        self._told_at = 0.0

    def check(self) -> None:
        """Raises when the job was cancelled or has lost its lease; call it between pieces of work."""
        if self.fenced.is_set():
            raise LeaseLostError
        if self.cancelled.is_set():
            raise JobCancelledError

    @contextlib.contextmanager
    def commit(self) -> Iterator[None]:
        """One transaction of this attempt: all that a job writes is written inside of one.

        Raises LeaseLostError, and writes nothing, when another attempt owns the job.
        """
        with transaction.atomic():
            if not Job.objects.held(self.job.pk, self.job.attempt).exists():
                raise LeaseLostError
            yield
            # This UPDATE decides: it locks the row until the commit, so that no attempt begins in between.
            # It comes last, because a lock held for long would keep the heartbeat and a cancel waiting.
            if not self.job.renew():
                raise LeaseLostError

    def progress(self, done: int, total: int, note: str = "", **result: Any) -> None:
        """Stores the progress and tells the live pages, at most twice a second."""
        self.check()
        now = time.monotonic()
        is_last = 0 < total <= done
        if now - self._told_at < PROGRESS_EVERY_S and not is_last:
            return
        self._told_at = now
        self.job.done, self.job.total, self.job.note = done, total, note[:200]
        self.job.result = {**self.job.result, **result}
        with self.commit():
            Job.objects.filter(pk=self.job.pk).update(
                done=done, total=total, note=self.job.note, result=self.job.result
            )
            job = self.job
            fact = JobProgressed(job=job.pk, title=job.title, url=job.url, done=done, total=total)
            publish(fact, workspace=job.workspace, agent=job.agent)

    def log(self, text: str) -> None:
        with self.commit():
            JobLine.objects.create(job=self.job, text=text[:4000])


Entry = Callable[..., dict[str, Any] | None]


def run(job_id: int) -> str:
    """The broker's entry. Claims the row, or does nothing when somebody else has it."""
    close_old_connections()
    job = Job.claim(job_id)
    if job is None:
        return "skipped"
    context = JobContext(job)
    heartbeat = threading.Thread(target=_keep_lease, args=(context,), daemon=True)
    heartbeat.start()
    try:
        return _work(context)
    finally:
        context.stop.set()
        heartbeat.join(HEARTBEAT_S * 3)


def _work(context: JobContext) -> str:
    job = context.job
    try:
        with context.commit():
            publish_state(job, JobStarted)
        entry: Entry = import_string(job.entry)
        result = entry(context, **job.arguments)
    except LeaseLostError:
        log.warning("job %s lost its lease to another attempt", job.pk)
        return "fenced"
    except JobCancelledError:
        return _end(job, State.CANCELLED, JobCancelled)
    except HubError as error:
        return _end(job, State.FAILED, JobFailed, error=error.sentence)
    except Exception as error:
        log.exception("job %s failed", job.pk)
        with contextlib.suppress(LeaseLostError):
            context.log(traceback.format_exc(limit=8)[-4000:])
        return _end(job, State.FAILED, JobFailed, error=f"{type(error).__name__}: {error}"[:2000])
    return _end(job, State.SUCCEEDED, JobFinished, result={**job.result, **(result or {})})


@transaction.atomic
def _end(job: Job, state: State, kind: type[JobFact], **fields: Any) -> str:
    if not job.end(state, **fields):
        return "fenced"
    publish_state(job, kind)
    return state.value


def _keep_lease(context: JobContext) -> None:
    """Renews the lease and watches for a cancel until the job ends."""
    while not context.stop.wait(HEARTBEAT_S):
        try:
            if not context.job.renew():
                context.fenced.set()
                break
            if Job.objects.filter(pk=context.job.pk, cancel_requested_at__isnull=False).exists():
                context.cancelled.set()
        except Exception:
            log.exception("heartbeat of job %s failed; trying again", context.job.pk)
    connection.close()
