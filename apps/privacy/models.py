"""Redaction policy, findings on contents and the vault of surrogates."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from apps.accounts.models import Workspace
from apps.contents.models import Content
from apps.core.models import Timestamped
from slmhub.redaction.paths import KEY, without_places


class Decision(models.TextChoices):
    """A finding is replaced from the start; rejecting it brings the original text back."""

    PENDING = "pending", "Hidden, not reviewed"
    ACCEPTED = "accepted", "Hidden, confirmed"
    REJECTED = "rejected", "Not sensitive, shown"


class Surrogate(Timestamped):
    """What stands for one value in the whole workspace: `[EMAIL_12]`. The value itself is sealed."""

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="surrogates")
    entity = models.CharField(max_length=40)
    number = models.PositiveIntegerField()
    digest = models.BinaryField(max_length=32)
    sealed = models.BinaryField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["workspace", "digest"], name="one_surrogate_per_value"),
            models.UniqueConstraint(
                fields=["workspace", "entity", "number"], name="one_surrogate_per_number"
            ),
        ]

    @property
    def text(self) -> str:
        return f"[{self.entity}_{self.number}]"


class Finding(Timestamped):
    """One piece of sensitive data in a content: where it stands in the original, and what was decided.

    Row, content and vault hold all that showing and hiding it again needs: nothing is searched for a second
    time, so that other recognisers than those of its day change nothing about it.
    """

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="findings")
    content = models.ForeignKey(Content, on_delete=models.CASCADE, related_name="findings")
    surrogate = models.ForeignKey(Surrogate, on_delete=models.CASCADE, related_name="findings")
    # One path for the sealed original and the redacted body (slmhub.redaction.paths). In rows of before there
    # were versions a sensitive key has its surrogate only, no place (apps.privacy.older_paths reads them).
    path = models.TextField(
        help_text="where in the message, e.g. /content or /tool_calls/0/function/arguments#/email"
    )
    start = models.PositiveIntegerField()
    end = models.PositiveIntegerField()
    entity = models.CharField(max_length=40)
    detector = models.CharField(max_length=60)
    score = models.FloatField()
    recogniser = models.CharField(
        max_length=40, blank=True, default="", help_text="name and version of what found it"
    )
    decision = models.CharField(max_length=8, choices=Decision.choices, default=Decision.PENDING)
    decided_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL)
    decided_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [
            models.Index(fields=["workspace", "decision", "-created_at", "-id"], name="finding_review"),
            models.Index(fields=["workspace", "entity", "-created_at", "-id"], name="finding_entity"),
            models.Index(fields=["workspace", "entity", "decision"], name="finding_counts"),
            models.Index(fields=["workspace", "-created_at", "-id"], name="finding_list"),
        ]

    @property
    def is_field_name(self) -> bool:
        return self.path.endswith(KEY)

    @property
    def readable_path(self) -> str:
        """As it reads in the redacted message."""
        return without_places(self.path)
