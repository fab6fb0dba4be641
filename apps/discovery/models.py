"""Discovery runs and the tasks that they find."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q

from apps.accounts.models import Agent
from apps.core.fields import StructField
from apps.core.models import Timestamped
from apps.discovery.columns import KeyUse, RunFigures, TaskFigures
from apps.jobs.models import Job
from apps.traces.models import Audience, Span
from slmhub.ml.clustering.records import Parameters


class DiscoveryRun(Timestamped):
    """One clustering of an agent's calls. Its state is its job's."""

    agent = models.ForeignKey(Agent, on_delete=models.CASCADE, related_name="discovery_runs")
    job = models.OneToOneField(Job, null=True, on_delete=models.SET_NULL, related_name="discovery_run")
    started_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL)
    parameters = StructField(Parameters, default=Parameters)
    figures = StructField(RunFigures, default=RunFigures)
    finished_at = models.DateTimeField(null=True, blank=True)

    def get_absolute_url(self) -> str:
        return self.agent.address("discovery:list")


class TaskState(models.TextChoices):
    FOUND = "found", "Found"
    ACCEPTED = "accepted", "Accepted"
    IGNORED = "ignored", "Ignored"
    MERGED = "merged", "Merged"


class Task(Timestamped):
    """A recurring kind of call. It keeps its identity over discovery runs by `cell`.

    found ──accept──▶ accepted      found | accepted ──merge──▶ merged (into another task)
      └──ignore──▶ ignored          accepted | ignored ──reopen──▶ found; merged ──unmerge──▶ found
    """

    agent = models.ForeignKey(Agent, on_delete=models.CASCADE, related_name="tasks")
    run = models.ForeignKey(DiscoveryRun, null=True, on_delete=models.SET_NULL, related_name="tasks")
    state = models.CharField(max_length=8, choices=TaskState.choices, default=TaskState.FOUND)
    merged_into = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.SET_NULL, related_name="merged"
    )
    # What the run that found it was keyed by; a later run recognises the task by it.
    cell = models.CharField(max_length=64)
    title = models.CharField(max_length=200, help_text="found by discovery")
    name = models.CharField(max_length=200, blank=True, help_text="given by a person; wins over the title")
    subtitle = models.CharField(max_length=300, blank=True)
    keywords = StructField(list[str], default=list)
    exemplar_ids = StructField(list[int], default=list)
    action = models.CharField(max_length=200, blank=True)
    previous = models.CharField(max_length=120, blank=True)
    audience = models.CharField(max_length=8, choices=Audience.choices, default=Audience.HUMAN)
    size = models.PositiveIntegerField(default=0, help_text="calls, without those of merged tasks")
    cohesion = models.FloatField(null=True)
    routing_keys = StructField(dict[str, KeyUse], default=dict)
    figures = StructField(TaskFigures, default=TaskFigures)
    # A task that nobody has touched goes when a later run does not find it again.
    touched_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["agent", "cell"], name="one_task_per_cell"),
            models.CheckConstraint(
                condition=Q(state=TaskState.MERGED) | Q(merged_into__isnull=True),
                name="only_merged_tasks_point_on",
            ),
        ]
        indexes = [models.Index(fields=["agent", "state", "-size", "-id"], name="task_list")]

    def __str__(self) -> str:
        return self.name or self.title

    def get_absolute_url(self) -> str:
        return self.agent.address("discovery:detail", self.pk)


class Assignment(models.Model):
    """A call's task, with its place on the map."""

    span = models.OneToOneField(Span, on_delete=models.CASCADE, related_name="assignment")
    task = models.ForeignKey(Task, on_delete=models.CASCADE, related_name="assignments")
    probability = models.FloatField(default=1.0)
    x = models.FloatField(null=True)
    y = models.FloatField(null=True)

    class Meta:
        indexes = [models.Index(fields=["task", "span"], name="assignment_of_task")]
