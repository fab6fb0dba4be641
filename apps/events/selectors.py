"""The audit view: what happened, without the ticking of progress."""

from __future__ import annotations

from django.db.models import QuerySet

from apps.accounts.models import Workspace
from apps.events.facts import declared
from apps.events.models import Event


def audited_types() -> list[str]:
    return [type for type, kind in declared().items() if kind.audited]


def activity(workspace: Workspace) -> QuerySet[Event]:
    """The audited events; a type that nobody declares any more is one of them."""
    passing = [type for type, kind in declared().items() if not kind.audited]
    return workspace.events.select_related("actor", "agent", "workspace").exclude(type__in=passing)


def live_types() -> str:
    """What a live list of audited events listens for (`data-live-on`)."""
    return " ".join(audited_types())
