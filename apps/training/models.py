"""Training runs and the specialists they make."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from apps.accounts.models import Agent
from apps.core.fields import StructField
from apps.core.models import Timestamped
from apps.datasets.models import DatasetVersion
from apps.discovery.models import Task
from apps.jobs.models import Job
from apps.registry.models import BaseModel
from slmhub.ml.methods import DEFAULT, METHODS
from slmhub.ml.training.records import Manifest, ProgressLine


class TrainingRun(Timestamped):
    """One fine-tuning of a base model on a dataset version. Its state is its job's."""

    agent = models.ForeignKey(Agent, on_delete=models.CASCADE, related_name="training_runs")
    dataset = models.ForeignKey(DatasetVersion, on_delete=models.PROTECT, related_name="training_runs")
    base = models.ForeignKey(BaseModel, on_delete=models.PROTECT, related_name="training_runs")
    job = models.OneToOneField(Job, null=True, on_delete=models.SET_NULL, related_name="training_run")
    started_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL)
    recipe = models.JSONField(default=dict)
    # The last line, with the figures of the last evaluation; steps are 0 before the first.
    progress = StructField(ProgressLine, default=ProgressLine)
    manifest = StructField(Manifest, default=Manifest)

    class Meta:
        indexes = [models.Index(fields=["agent", "-created_at", "-id"], name="training_list")]

    def get_absolute_url(self) -> str:
        return self.agent.address("training:detail", self.pk)

    @property
    def method_label(self) -> str:
        """For people; the bare name of a method that is no longer there."""
        name = str(self.recipe.get("method", DEFAULT))
        return METHODS[name].label if name in METHODS else name


class ProgressPoint(models.Model):
    """One point of the loss curve."""

    run = models.ForeignKey(TrainingRun, on_delete=models.CASCADE, related_name="points")
    step = models.PositiveIntegerField()
    loss = models.FloatField(null=True)
    eval_loss = models.FloatField(null=True)
    eval_exact = models.FloatField(null=True)
    learning_rate = models.FloatField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["run", "step"], name="one_point_per_step")]


class Specialist(Timestamped):
    """A fine-tuned model of one task, named by its weights' SHA-256. `served_name` is never used twice."""

    agent = models.ForeignKey(Agent, on_delete=models.CASCADE, related_name="specialists")
    task = models.ForeignKey(Task, on_delete=models.PROTECT, related_name="specialists")
    run = models.OneToOneField(TrainingRun, on_delete=models.PROTECT, related_name="specialist")
    base = models.ForeignKey(BaseModel, on_delete=models.PROTECT, related_name="specialists")
    sha256 = models.CharField(max_length=64)
    served_name = models.CharField(max_length=120, unique=True)
    path = models.CharField(max_length=400)
    size = models.BigIntegerField(default=0, help_text="bytes of its weights")

    def __str__(self) -> str:
        return self.served_name

    def get_absolute_url(self) -> str:
        return self.agent.address("training:detail", self.run_id)
