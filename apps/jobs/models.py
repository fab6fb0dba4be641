"""The visible row of every background run."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from apps.accounts.models import Agent, Workspace
from apps.core.models import Timestamped

LEASE = timedelta(seconds=15)
MOST_ATTEMPTS = 3


class Queue(models.TextChoices):
    DEFAULT = "default", "Default"
    GPU = "gpu", "GPU"


class State(models.TextChoices):
    QUEUED = "queued", "Queued"
    RUNNING = "running", "Running"
    SUCCEEDED = "succeeded", "Succeeded"
    FAILED = "failed", "Failed"
    CANCELLED = "cancelled", "Cancelled"


ENDED = (State.SUCCEEDED, State.FAILED, State.CANCELLED)
OPEN = (State.QUEUED, State.RUNNING)


class JobQuerySet(models.QuerySet["Job"]):
    def ended(self) -> JobQuerySet:
        return self.filter(state__in=ENDED)

    def open(self) -> JobQuerySet:
        return self.filter(state__in=OPEN)

    def expired(self) -> JobQuerySet:
        """Running, but nobody has renewed the lease: the worker died."""
        return self.filter(state=State.RUNNING, lease_until__lt=timezone.now())

    def forgotten(self, age: timedelta) -> JobQuerySet:
        """Queued for so long that the wake-up may have been lost."""
        return self.filter(state=State.QUEUED, woken_at__lt=timezone.now() - age)

    def held(self, job_id: int, attempt: int) -> JobQuerySet:
        """The row, if this attempt still owns it (fencing)."""
        return self.filter(pk=job_id, attempt=attempt, state=State.RUNNING)


class Job(Timestamped):
    """A background run. The row is the truth, the broker only a wake-up.

    queued ──claim──▶ running ──▶ succeeded | failed | cancelled
      ▲                  │
      └── lease expired ─┘   (attempt + 1, up to max_attempts; then failed)
    queued ──cancel──▶ cancelled
    """

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="jobs")
    agent = models.ForeignKey(Agent, null=True, blank=True, on_delete=models.CASCADE, related_name="jobs")
    title = models.CharField(max_length=200)
    entry = models.CharField(max_length=120, help_text="dotted name of the function that does the work")
    arguments = models.JSONField(default=dict)
    queue = models.CharField(max_length=10, choices=Queue.choices, default=Queue.DEFAULT)
    # Where a person goes to see what this job works on.
    url = models.CharField(max_length=300, blank=True)
    # The least right of a person who may stop it or start it again.
    right = models.CharField(max_length=10, help_text="accounts.Right")
    # Names the work: of two open jobs with one key in a workspace the second is not made. Empty: any number.
    exclusive_key = models.CharField(max_length=120, blank=True)
    state = models.CharField(max_length=10, choices=State.choices, default=State.QUEUED)
    attempt = models.PositiveSmallIntegerField(default=0)
    max_attempts = models.PositiveSmallIntegerField(default=MOST_ATTEMPTS)
    lease_until = models.DateTimeField(null=True, blank=True)
    cancel_requested_at = models.DateTimeField(null=True, blank=True)
    done = models.BigIntegerField(default=0)
    total = models.BigIntegerField(default=0)
    note = models.CharField(max_length=200, blank=True)
    result = models.JSONField(default=dict)
    error = models.TextField(blank=True)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL)
    woken_at = models.DateTimeField(default=timezone.now)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    objects = JobQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=~Q(state=State.RUNNING) | Q(lease_until__isnull=False),
                name="a_running_job_has_a_lease",
            ),
            models.UniqueConstraint(
                fields=["workspace", "exclusive_key"],
                condition=Q(state__in=OPEN) & ~Q(exclusive_key=""),
                name="one_open_job_per_exclusive_key",
            ),
        ]
        indexes = [
            models.Index(fields=["workspace", "-created_at", "-id"], name="job_list"),
            models.Index(fields=["state", "lease_until"], name="job_sweep"),
        ]

    def __str__(self) -> str:
        return self.title

    def get_absolute_url(self) -> str:
        return self.workspace.address("jobs:detail", self.pk)

    @property
    def is_over(self) -> bool:
        return State(self.state) in ENDED

    @property
    def seconds(self) -> float | None:
        if self.started_at is None:
            return None
        return ((self.finished_at or timezone.now()) - self.started_at).total_seconds()

    @property
    def eta_seconds(self) -> float | None:
        """Time left if the rest goes as fast as what is done."""
        if self.state != State.RUNNING or not self.done or not self.total or self.seconds is None:
            return None
        return self.seconds * max(0, self.total - self.done) / self.done

    @classmethod
    def claim(cls, job_id: int) -> Job | None:
        """The job, now running under a fresh lease and attempt number; `None` if another has it."""
        now = timezone.now()
        claimed = cls.objects.filter(pk=job_id, state=State.QUEUED, cancel_requested_at__isnull=True).update(
            state=State.RUNNING,
            attempt=F("attempt") + 1,
            lease_until=now + LEASE,
            started_at=now,
            finished_at=None,
            error="",
        )
        return (
            cls.objects.select_related("workspace", "agent", "created_by").get(pk=job_id) if claimed else None
        )

    def renew(self) -> bool:
        """Extends the lease; False means that another attempt owns the job now."""
        return bool(Job.objects.held(self.pk, self.attempt).update(lease_until=timezone.now() + LEASE))

    def end(self, state: State, **fields: Any) -> bool:
        return bool(
            Job.objects.held(self.pk, self.attempt).update(
                state=state, finished_at=timezone.now(), lease_until=None, **fields
            )
        )


class JobLine(models.Model):
    """One line of a job's log."""

    job = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="lines")
    at = models.DateTimeField(default=timezone.now)
    text = models.TextField()
