"""Uploaded files and the mappings that people drew for them."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from apps.accounts.models import Agent, Workspace
from apps.core.fields import StructField
from apps.core.models import Timestamped
from apps.jobs.models import Job
from slmhub.formats import mapped


class Mapping(Timestamped):
    """Where a JSON shape that no format knows keeps its messages, drawn by hand and used again."""

    agent = models.ForeignKey(Agent, on_delete=models.CASCADE, related_name="mappings")
    # The sorted paths of the rows that it was drawn for, hashed.
    fingerprint = models.CharField(max_length=32)
    rules = StructField(mapped.Mapping, help_text="formats.mapped.Mapping")
    made_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["agent", "fingerprint"], name="one_mapping_per_shape")]


class Arrival(models.TextChoices):
    """Where an upload stands before it has a job."""

    PARTIAL = "partial", "Incomplete"
    WAITING = "waiting", "Not started"


class Upload(Timestamped):
    """One uploaded file and what became of its lines.

    It arrives in pieces (`received` of `size` bytes), is looked at, and its import starts on a person's word;
    a file that came whole through the API starts at once. Files of one `delivery` were chosen together.
    """

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="uploads")
    agent = models.ForeignKey(Agent, on_delete=models.CASCADE, related_name="uploads")
    job = models.OneToOneField(Job, null=True, on_delete=models.SET_NULL, related_name="upload")
    uploaded_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL)
    filename = models.CharField(max_length=255)
    path = models.CharField(max_length=400)
    rejects_path = models.CharField(max_length=400, blank=True)
    size = models.BigIntegerField()
    format = models.CharField(max_length=40, blank=True, help_text="what the first lines look like")
    received = models.BigIntegerField(default=0, help_text="bytes on disk")
    # None once its import is done: until then a client that lost the last answer may ask again.
    token = models.UUIDField(unique=True, null=True, help_text="names it while it arrives")
    delivery = models.CharField(max_length=32, blank=True)
    mapping = models.ForeignKey(Mapping, null=True, on_delete=models.SET_NULL, related_name="uploads")
    completed = models.PositiveIntegerField(default=0)
    read = models.PositiveIntegerField(default=0)
    accepted = models.PositiveIntegerField(default=0)
    duplicate = models.PositiveIntegerField(default=0)
    rejected = models.PositiveIntegerField(default=0)

    def get_absolute_url(self) -> str:
        return self.agent.address("uploads:detail", self.pk)

    @property
    def arrival(self) -> Arrival:
        return Arrival.WAITING if self.received == self.size else Arrival.PARTIAL
