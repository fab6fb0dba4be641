"""Content-addressed messages and tool sets, each stored once per workspace."""

from __future__ import annotations

from django.db import models

from apps.accounts.models import Workspace
from apps.core.models import Timestamped


class ContentKind(models.TextChoices):
    MESSAGE = "message", "Message"
    TOOLS = "tools", "Tool set"
    DETAILS = "details", "Long attributes"


class Content(Timestamped):
    """A message or a tool set, addressed by a keyed hash of its original.

    `body` and `text` are redacted; the original stays sealed in `original` for the retention time
    (empty when it is never stored). What nobody downstream may see is in `original` only.
    """

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="contents")
    kind = models.CharField(max_length=8, choices=ContentKind.choices)
    # HMAC-SHA256 under the workspace key over canonical JSON, so that equality leaks nowhere.
    digest = models.BinaryField(max_length=32)
    role = models.CharField(max_length=16, blank=True)
    body = models.JSONField()
    text = models.TextField(blank=True)
    original = models.BinaryField(default=bytes, blank=True)
    size = models.PositiveIntegerField(default=0, help_text="bytes of the original")
    # Empty in rows of before there were versions, and where redacted parts were put together.
    recognisers = models.CharField(
        max_length=12, blank=True, default="", help_text="the version of the recognisers that searched it"
    )

    class Meta:
        constraints = [models.UniqueConstraint(fields=["workspace", "digest"], name="one_content_per_digest")]
