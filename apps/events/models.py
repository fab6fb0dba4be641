"""The durable, ordered log of what happened in a workspace."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils import timezone

from apps.accounts.models import Agent, Workspace


class Sequence(models.Model):
    """The last number given to a workspace; its row lock orders the writers."""

    workspace = models.OneToOneField(Workspace, on_delete=models.CASCADE, related_name="event_sequence")
    last = models.BigIntegerField(default=0)


class Event(models.Model):
    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="events")
    number = models.BigIntegerField()
    # Which ones there are, the apps declare (`facts`); a row of a type that is gone stays readable.
    type = models.CharField(max_length=40)
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL)
    agent = models.ForeignKey(Agent, null=True, on_delete=models.SET_NULL)
    data = models.JSONField(default=dict)
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["workspace", "number"], name="one_event_per_number")]
        indexes = [
            models.Index(fields=["workspace", "type", "-number"], name="event_by_type"),
            # Finds the row that a coalesced fact joins among many of its type.
            models.Index(fields=["workspace", "type", "at"], name="event_by_type_and_time"),
        ]
        ordering = ["-number"]
