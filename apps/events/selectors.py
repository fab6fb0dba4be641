"""The audit view: what happened, without the ticking of progress."""

from __future__ import annotations

from django.db.models import QuerySet

from apps.accounts.models import Workspace
from apps.events.models import PROGRESS_TYPES, Event, EventType

AUDITED = [kind for kind in EventType if kind not in PROGRESS_TYPES]
# What a live list of events listens for.
LIVE_TYPES = " ".join(kind.value for kind in AUDITED)


def activity(workspace: Workspace) -> QuerySet[Event]:
    """The audited events."""
    events = workspace.events.select_related("actor", "agent", "workspace")
    return events.exclude(type__in=PROGRESS_TYPES)
