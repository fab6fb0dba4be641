"""When a person looked last, so that the home page can tell what has changed since."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.contrib.sessions.backends.base import SessionBase
from django.utils import timezone

from apps.accounts.models import Membership

# Reloading within this time is still the same visit.
VISIT_GAP = timedelta(minutes=30)
WRITE_EVERY = timedelta(minutes=1)


def note_visit(*, membership: Membership, session: SessionBase) -> datetime | None:
    """Notes that this person looks at the workspace now; returns when the visit before this one ended."""
    now, last, key = timezone.now(), membership.last_visit_at, f"since:{membership.pk}"
    if key not in session or last is None or now - last > VISIT_GAP:
        session[key] = last.isoformat() if last else ""
    if last is None or now - last > WRITE_EVERY:
        Membership.objects.filter(pk=membership.pk).update(last_visit_at=now)
    return datetime.fromisoformat(session[key]) if session[key] else None
