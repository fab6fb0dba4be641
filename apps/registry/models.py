"""Base models and teachers."""

from __future__ import annotations

import msgspec
from django.db import models

from apps.accounts.models import Agent, Workspace
from apps.core.fields import StructField
from apps.core.models import Timestamped


class LicenceClass(models.TextChoices):
    PERMISSIVE = "permissive", "May be deployed"
    CONDITIONAL = "conditional", "May be deployed under conditions"
    RESEARCH = "research", "Research only: deployment is blocked"


class Figures(msgspec.Struct, frozen=True, omit_defaults=True):
    """Published benchmark figures with their source."""

    source: str = ""
    values: dict[str, float] = {}


class BaseModel(Timestamped):
    """A small open model in the catalogue. Facts that are unknown stay empty."""

    slug = models.SlugField(max_length=80, unique=True)
    name = models.CharField(max_length=120)
    family = models.CharField(max_length=60)
    hub_id = models.CharField(max_length=160, blank=True)
    path = models.CharField(max_length=400, blank=True, help_text="local weights")
    parameters = models.BigIntegerField(null=True)
    context = models.PositiveIntegerField(null=True, help_text="tokens")
    licence = models.CharField(max_length=160)
    licence_class = models.CharField(max_length=12, choices=LicenceClass.choices)
    tool_format = models.CharField(max_length=200, blank=True)
    architecture = models.CharField(max_length=80, blank=True)
    memory_gb = models.FloatField(null=True, help_text="weights in bf16")
    # For lengths and times before launch; the tokenizer itself never loads in the web process.
    bytes_per_token = models.FloatField(default=4.0, help_text="1 for a byte tokenizer, else an estimate")
    trainable = models.BooleanField(default=True)
    remarks = models.TextField(blank=True)
    figures = StructField(Figures, default=Figures, help_text="published benchmark figures with their source")

    def __str__(self) -> str:
        return self.name

    @property
    def size(self) -> str:
        """`3.8 B`, `135 M` or the plain number of parameters."""
        if self.parameters is None:
            return "—"
        if self.parameters >= 1e9:
            return f"{self.parameters / 1e9:.1f} B"
        return f"{self.parameters / 1e6:.0f} M" if self.parameters >= 1e7 else f"{self.parameters:,}"


def teacher_binding(teacher_id: int) -> bytes:
    """What a key is sealed for: it cannot be moved to another teacher's address in the database."""
    return f"teacher:{teacher_id}".encode()


class Teacher(Timestamped):
    """The LLM whose answers are learnt, and where the gateway sends what no specialist takes."""

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="teachers")
    agent = models.OneToOneField(Agent, null=True, on_delete=models.CASCADE, related_name="teacher")
    name = models.CharField(max_length=120)
    base_url = models.URLField(max_length=300, help_text="OpenAI-compatible, e.g. https://llm.example.com/v1")
    model = models.CharField(
        max_length=120, blank=True, help_text="sent instead of the caller's model when set"
    )
    sealed_key = models.BinaryField(default=bytes, blank=True)
    simulated = models.BooleanField(default=False)

    def __str__(self) -> str:
        return self.name
