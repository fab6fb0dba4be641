"""Immutable, content-hashed sets of examples for one task."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import Q

from apps.accounts.models import Agent
from apps.core.errors import ConflictError
from apps.core.fields import StructField
from apps.core.models import Timestamped
from apps.datasets.columns import Counts, Overlap, Parameters
from apps.discovery.models import Task
from apps.jobs.models import Job, State
from apps.traces.models import Span
from slmhub.ml.prompt_formats import COMPACT
from slmhub.ml.prompt_formats.compact import StaticPrompt


class Split(models.TextChoices):
    TRAIN = "train", "Train"
    VALIDATION = "validation", "Validation"
    TEST = "test", "Test"


class FrozenError(ConflictError):
    """A frozen dataset never changes; build a new version."""

    def __init__(self) -> None:
        super().__init__("A frozen dataset never changes.", hint="Build a new version of it.")


class Progress(models.TextChoices):
    """Where a version stands, from its job and whether it is frozen."""

    FROZEN = "ready", "Frozen"
    BUILDING = "running", "Building"
    FAILED = "failed", "Failed"
    CANCELLED = "cancelled", "Cancelled"


class DatasetVersion(Timestamped):
    """Building until its job ends, then frozen: `frozen_at` and `digest` are set together, once."""

    agent = models.ForeignKey(Agent, on_delete=models.CASCADE, related_name="dataset_versions")
    task = models.ForeignKey(Task, on_delete=models.CASCADE, related_name="dataset_versions")
    number = models.PositiveIntegerField()
    job = models.OneToOneField(Job, null=True, on_delete=models.SET_NULL, related_name="dataset_version")
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL)
    # What went in and what was left out, with the reason and the count.
    parameters = StructField(Parameters, default=Parameters)
    counts = StructField(Counts, default=Counts)
    left_out = StructField(dict[str, int], default=dict)
    prompt_format = models.CharField(max_length=20, default=COMPACT, help_text="how examples become text")
    # The prompt text and tool set that every example shares, pruned from the examples.
    static_prompt = StructField(StaticPrompt, default=StaticPrompt)
    overlap = StructField(Overlap, default=Overlap)
    digest = models.CharField(max_length=64, blank=True, help_text="SHA-256 of the examples in order")
    frozen_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["task", "number"], name="one_dataset_per_number"),
            models.CheckConstraint(
                condition=Q(frozen_at__isnull=True, digest="") | (Q(frozen_at__isnull=False) & ~Q(digest="")),
                name="frozen_means_hashed",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.task} v{self.number}"

    def get_absolute_url(self) -> str:
        return self.agent.address("datasets:detail", self.pk)

    def save(self, *args: Any, **kwargs: Any) -> None:
        if self.pk and DatasetVersion.objects.filter(pk=self.pk, frozen_at__isnull=False).exists():
            raise FrozenError
        super().save(*args, **kwargs)

    @property
    def is_frozen(self) -> bool:
        return self.frozen_at is not None

    @property
    def progress(self) -> Progress:
        if self.is_frozen:
            return Progress.FROZEN
        ended = {State.FAILED: Progress.FAILED, State.CANCELLED: Progress.CANCELLED}
        return ended.get(State(self.job.state), Progress.BUILDING) if self.job else Progress.FAILED


class Example(models.Model):
    """One call as the model will see it: the pruned prompt and the completion to learn."""

    dataset = models.ForeignKey(DatasetVersion, on_delete=models.CASCADE, related_name="examples")
    span = models.ForeignKey(Span, null=True, on_delete=models.SET_NULL, related_name="examples")
    split = models.CharField(max_length=10, choices=Split.choices)
    session = models.CharField(max_length=200)
    position = models.PositiveIntegerField()
    # OpenAI shapes, redacted: what evaluation sends and compares with.
    messages = models.JSONField()
    tools = models.JSONField(default=list)
    expected = models.JSONField()
    # Compact texts: what people read and duplicates are found by, whatever the format. Any other format is
    # rendered from the shapes above by the trainer, which has the base's tokenizer.
    prompt = models.TextField()
    completion = models.TextField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["dataset", "position"], name="one_example_per_position")
        ]
        indexes = [models.Index(fields=["dataset", "split", "position"], name="example_by_split")]

    def save(self, *args: Any, **kwargs: Any) -> None:
        if self.dataset.is_frozen:
            raise FrozenError
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        if self.dataset.is_frozen:
            raise FrozenError
        return super().delete(*args, **kwargs)
