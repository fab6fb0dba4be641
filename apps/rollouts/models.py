"""Requests to serve a specialist, their approval, and the routes that result."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from apps.accounts.models import Agent
from apps.core.fields import StructField
from apps.core.models import Timestamped
from apps.discovery.models import Task
from apps.evaluation.models import EvaluationRun
from apps.rollouts.evidence import Evidence
from apps.training.models import Specialist


class RolloutState(models.TextChoices):
    REQUESTED = "requested", "Waits for approval"
    LIVE = "live", "Live"
    REJECTED = "rejected", "Rejected"
    WITHDRAWN = "withdrawn", "Withdrawn"
    ROLLED_BACK = "rolled_back", "Rolled back"


class Rollout(Timestamped):
    """A request to let a specialist answer a task's calls.

    requested ──approve (another person)──▶ live ──roll back──▶ rolled_back
        ├──reject──▶ rejected
        └──withdraw──▶ withdrawn
    """

    agent = models.ForeignKey(Agent, on_delete=models.CASCADE, related_name="rollouts")
    task = models.ForeignKey(Task, on_delete=models.PROTECT, related_name="rollouts")
    specialist = models.ForeignKey(Specialist, on_delete=models.PROTECT, related_name="rollouts")
    evaluation = models.ForeignKey(EvaluationRun, on_delete=models.PROTECT, related_name="rollouts")
    state = models.CharField(max_length=12, choices=RolloutState.choices, default=RolloutState.REQUESTED)
    # What the approver saw, frozen at the request, with its SHA-256.
    evidence = StructField(Evidence, default=Evidence)
    evidence_digest = models.CharField(max_length=64)
    reason = models.TextField(blank=True, help_text="why it is asked for")
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="requested_rollouts"
    )
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="decided_rollouts",
    )
    decided_at = models.DateTimeField(null=True, blank=True)
    decision_note = models.TextField(blank=True)
    rolled_back_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    rolled_back_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(decided_by__isnull=True)
                | Q(requested_by__isnull=True)
                | ~Q(decided_by=F("requested_by")),
                name="nobody_approves_their_own_request",
            ),
            models.UniqueConstraint(
                fields=["task"], condition=Q(state="requested"), name="one_open_request_per_task"
            ),
        ]
        indexes = [models.Index(fields=["agent", "-created_at", "-id"], name="rollout_list")]

    def get_absolute_url(self) -> str:
        return self.agent.address("rollouts:detail", self.pk)


class Route(Timestamped):
    """What the gateway does with a task's calls now. One row per task."""

    agent = models.ForeignKey(Agent, on_delete=models.CASCADE, related_name="routes")
    task = models.OneToOneField(Task, on_delete=models.CASCADE, related_name="route")
    rollout = models.ForeignKey(Rollout, on_delete=models.PROTECT, related_name="routes")
    specialist = models.ForeignKey(Specialist, on_delete=models.PROTECT, related_name="routes")
    routing_keys = StructField(list[str], default=list)
    # What the task's answers do; a specialist's answer that does anything else is not used.
    actions = StructField(list[str], default=list)
    is_on = models.BooleanField(default=True)
    # Below this confidence (the least probable token of the answer) the teacher answers instead.
    threshold = models.FloatField(default=0.0)
    changed_at = models.DateTimeField()

    def get_absolute_url(self) -> str:
        return self.agent.address("rollouts:detail", self.rollout_id)
