"""The durable, ordered log of what happened in a workspace."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils import timezone

from apps.accounts.models import Agent, Workspace


class EventType(models.TextChoices):
    """Past-tense typed facts, `noun.verb`; `data` holds ids, names and figures."""

    WORKSPACE_CREATED = "workspace.created", "Workspace created"
    AGENT_CREATED = "agent.created", "Agent added"
    MEMBER_INVITED = "member.invited", "Person invited"
    MEMBER_JOINED = "member.joined", "Person joined"
    MEMBER_ROLE_CHANGED = "member.role_changed", "Role changed"
    MEMBER_REMOVED = "member.removed", "Person removed"
    INVITATION_WITHDRAWN = "invitation.withdrawn", "Invitation withdrawn"
    KEY_CREATED = "key.created", "API key created"
    KEY_REVOKED = "key.revoked", "API key revoked"
    JOB_QUEUED = "job.queued", "Job queued"
    JOB_STARTED = "job.started", "Job started"
    JOB_PROGRESSED = "job.progressed", "Job progressed"
    JOB_FINISHED = "job.finished", "Job finished"
    JOB_FAILED = "job.failed", "Job failed"
    JOB_CANCELLED = "job.cancelled", "Job cancelled"
    JOB_RETRIED = "job.retried", "Job started again"
    UPLOAD_RECEIVED = "upload.received", "File uploaded"
    TRACES_INGESTED = "traces.ingested", "Traces ingested"
    ORIGINAL_REVEALED = "original.revealed", "Original revealed"
    FINDING_DECIDED = "finding.decided", "Finding decided"
    DISCOVERY_FINISHED = "discovery.finished", "Tasks discovered"
    TASK_RENAMED = "task.renamed", "Task renamed"
    TASK_ACCEPTED = "task.accepted", "Task accepted"
    TASK_IGNORED = "task.ignored", "Task ignored"
    TASK_REOPENED = "task.reopened", "Task reopened"
    TASK_MERGED = "task.merged", "Tasks merged"
    TASK_UNMERGED = "task.unmerged", "Merge undone"
    DATASET_FROZEN = "dataset.frozen", "Dataset frozen"
    TRAINING_STARTED = "training.started", "Training started"
    TRAINING_PROGRESSED = "training.progressed", "Training progressed"
    TRAINING_FINISHED = "training.finished", "Training finished"
    TRAINING_FAILED = "training.failed", "Training failed"
    TRAINING_CANCELLED = "training.cancelled", "Training cancelled"
    EVALUATION_STARTED = "evaluation.started", "Evaluation started"
    EVALUATION_FINISHED = "evaluation.finished", "Evaluation finished"
    EVALUATION_FAILED = "evaluation.failed", "Evaluation failed"
    ROLLOUT_REQUESTED = "rollout.requested", "Rollout requested"
    ROLLOUT_APPROVED = "rollout.approved", "Rollout approved"
    ROLLOUT_REJECTED = "rollout.rejected", "Rollout rejected"
    ROLLOUT_WITHDRAWN = "rollout.withdrawn", "Rollout request withdrawn"
    ROLLOUT_ROLLED_BACK = "rollout.rolled_back", "Rollout rolled back"
    PRICE_SET = "price.set", "Price set"
    PRICE_REMOVED = "price.removed", "Price removed"
    TEACHER_CHANGED = "teacher.changed", "Teacher changed"


# Progress is for the live page; the audit view leaves it out.
PROGRESS_TYPES = (EventType.JOB_PROGRESSED, EventType.TRAINING_PROGRESSED)


class Sequence(models.Model):
    """The last number given to a workspace; its row lock orders the writers."""

    workspace = models.OneToOneField(Workspace, on_delete=models.CASCADE, related_name="event_sequence")
    last = models.BigIntegerField(default=0)


class Event(models.Model):
    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="events")
    number = models.BigIntegerField()
    type = models.CharField(max_length=40, choices=EventType.choices)
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL)
    agent = models.ForeignKey(Agent, null=True, on_delete=models.SET_NULL)
    data = models.JSONField(default=dict)
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["workspace", "number"], name="one_event_per_number")]
        indexes = [models.Index(fields=["workspace", "type", "-number"], name="event_by_type")]
        ordering = ["-number"]
