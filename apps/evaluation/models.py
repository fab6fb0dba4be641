"""Evaluation runs: a specialist, its base and the teacher on the same held-out calls."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from apps.accounts.models import Agent
from apps.core.fields import StructField
from apps.core.models import Timestamped
from apps.datasets.models import DatasetVersion, Example
from apps.evaluation.report import RunReport
from apps.jobs.models import Job
from apps.training.models import Specialist


class Verdict(models.TextChoices):
    PASS = "pass", "Pass"
    FAIL = "fail", "Fail"
    INCONCLUSIVE = "inconclusive", "Inconclusive"


class System(models.TextChoices):
    BASE = "base", "Base model"
    TEACHER = "teacher", "Teacher"
    SPECIALIST = "specialist", "Specialist"


class EvaluationRun(Timestamped):
    """One measurement and its gate. Its state is its job's; `verdict` is empty until it ends."""

    agent = models.ForeignKey(Agent, on_delete=models.CASCADE, related_name="evaluation_runs")
    specialist = models.ForeignKey(Specialist, on_delete=models.PROTECT, related_name="evaluation_runs")
    dataset = models.ForeignKey(DatasetVersion, on_delete=models.PROTECT, related_name="evaluation_runs")
    job = models.OneToOneField(Job, null=True, on_delete=models.SET_NULL, related_name="evaluation_run")
    started_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL)
    margin = models.FloatField(default=0.05, help_text="how much worse than the teacher is still as good")
    verdict = models.CharField(max_length=12, choices=Verdict.choices, blank=True)
    report = StructField(RunReport, default=RunReport)
    teacher_simulated = models.BooleanField(default=False)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [models.Index(fields=["agent", "-created_at", "-id"], name="evaluation_list")]

    def get_absolute_url(self) -> str:
        return self.agent.address("evaluation:detail", self.pk)


class Answer(models.Model):
    """What one system answered to one held-out call."""

    run = models.ForeignKey(EvaluationRun, on_delete=models.CASCADE, related_name="answers")
    example = models.ForeignKey(Example, on_delete=models.CASCADE, related_name="answers")
    system = models.CharField(max_length=10, choices=System.choices)
    message = models.JSONField(null=True)
    error = models.CharField(max_length=300, blank=True)
    correct = models.BooleanField(null=True)
    latency_ms = models.FloatField(null=True)
    confidence = models.FloatField(null=True, help_text="least probable token, where the server tells it")
    recorded = models.BooleanField(default=False, help_text="taken from the traces instead of being asked")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["run", "example", "system"], name="one_answer_per_system_and_example"
            )
        ]
