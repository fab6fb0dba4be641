"""Conversions: drives through the loop that go on by themselves, step by step."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q

from apps.accounts.models import Agent
from apps.core.fields import StructField
from apps.core.models import Timestamped
from apps.discovery.models import Task
from apps.jobs.models import Job
from apps.lifecycle.columns import Judgement


class Step(models.TextChoices):
    """The steps of the loop; which comes after which stands in `order`."""

    COLLECT = "collect", "Collect calls"
    DISCOVER = "discover", "Discover tasks"
    ACCEPT = "accept", "Accept the task"
    BUILD = "build", "Build a dataset"
    TRAIN = "train", "Train a specialist"
    EVALUATE = "evaluate", "Evaluate it"
    REQUEST = "request", "Request the rollout"
    DECIDE = "decide", "Wait for approval"
    SERVE = "serve", "Serve"
    REVISE = "revise", "Look at what is missing"


class ConversionState(models.TextChoices):
    OPEN = "open", "Under way"
    DONE = "done", "Done"
    STOPPED = "stopped", "Stopped"


class Conversion(Timestamped):
    """One drive: of a task up to the request for approval or, without one, of an agent up to its tasks.

    open, at a step ──its job succeeded──▶ open, at the next ──nothing left that the hub may do──▶ done
              └──its job ended otherwise, or the step cannot be taken──▶ stopped, with the reason

    What is open waits for `job`, whoever started that. Every move is claimed by a conditional update on step
    and job, so that any number of processes may try to move it on.
    """

    agent = models.ForeignKey(Agent, on_delete=models.CASCADE, related_name="conversions")
    task = models.ForeignKey(Task, null=True, on_delete=models.CASCADE, related_name="conversions")
    # The drive of the agent that chose this task.
    part_of = models.ForeignKey("self", null=True, on_delete=models.CASCADE, related_name="parts")
    started_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL)
    # How many tasks the drive of an agent takes on.
    most_tasks = models.PositiveIntegerField(default=0)
    # What it thought of every task when it chose some.
    judged = StructField(list[Judgement], default=list)
    state = models.CharField(
        max_length=8, choices=ConversionState.choices, default=ConversionState.OPEN, db_index=True
    )
    step = models.CharField(max_length=10, choices=Step.choices)
    job = models.ForeignKey(Job, null=True, on_delete=models.SET_NULL, related_name="conversions")
    reason = models.TextField(blank=True, help_text="why it stopped")
    ended_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["task"], condition=Q(state="open"), name="one_open_conversion_per_task"
            ),
            models.UniqueConstraint(
                fields=["agent"],
                condition=Q(state="open", task__isnull=True),
                name="one_open_conversion_per_agent",
            ),
        ]

    def __str__(self) -> str:
        return str(self.task or self.agent)

    @property
    def is_open(self) -> bool:
        return self.state == ConversionState.OPEN
