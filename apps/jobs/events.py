"""What happens to a background job."""

from __future__ import annotations

from apps.events.facts import Fact, Page, Tone


class JobFact(Fact):
    job: int
    title: str
    url: str

    page = Page("jobs:detail", "job", of_agent=False)

    def what(self) -> str:
        return self.title


class JobQueued(JobFact):
    type = "job.queued"
    verb = "asked for"


class JobStarted(JobFact):
    type = "job.started"
    verb = "started"


class JobProgressed(JobFact):
    type = "job.progressed"
    verb = "went on with"
    audited = False

    done: int
    total: int


class JobFinished(JobFact):
    type = "job.finished"
    verb = "finished"


class JobFailed(JobFact):
    type = "job.failed"
    verb = "failed at"
    tone = Tone.BAD


class JobCancelled(JobFact):
    type = "job.cancelled"
    verb = "stopped"


class JobRetried(JobFact):
    type = "job.retried"
    verb = "queued again"
