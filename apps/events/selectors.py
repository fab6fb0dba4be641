"""The audit view: what happened, without the ticking of progress."""

from __future__ import annotations

from django.db.models import QuerySet

from apps.accounts.models import User, Workspace
from apps.events.models import PROGRESS_TYPES, Event, EventType

AUDITED = [kind for kind in EventType if kind not in PROGRESS_TYPES]
# What a live list of events listens for.
LIVE_TYPES = " ".join(kind.value for kind in AUDITED)
GROUPS = {kind.value.partition(".")[0]: kind.value.partition(".")[0].capitalize() for kind in AUDITED}


def activity(workspace: Workspace, *, group: str = "", person: str = "") -> QuerySet[Event]:
    """The audited events; a group or person that does not exist filters nothing."""
    events = workspace.events.select_related("actor", "agent", "workspace")
    if group in GROUPS:
        events = events.filter(type__in=[kind for kind in AUDITED if kind.value.startswith(f"{group}.")])
    else:
        events = events.exclude(type__in=PROGRESS_TYPES)
    return events.filter(actor_id=int(person)) if person.isdecimal() and len(person) < 19 else events


def actors_of(workspace: Workspace) -> list[User]:
    """Members; people who left keep their events but need no filter."""
    return list(User.objects.filter(memberships__workspace=workspace).order_by("name", "email"))
