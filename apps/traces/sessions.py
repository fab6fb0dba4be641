"""The sessions of a batch: found or made, with what its records say about them."""

from __future__ import annotations

from collections.abc import Sequence

from apps.accounts.models import Agent
from apps.contents.services import CHUNK, chunks
from apps.traces.models import Outcome, Session
from apps.traces.staging import Staged, fitted, started_at


def sessions_for(agent: Agent, items: Sequence[Staged]) -> dict[str, Session]:
    """Session by external id for the items that name one."""
    named: dict[str, list[Staged]] = {}
    for item in items:
        if item.session:
            named.setdefault(item.session, []).append(item)
    sessions = _existing(agent, list(named))
    fresh = [Session(agent=agent, external_id=name) for name in named if name not in sessions]
    for session in fresh:
        session.started_at = min(started_at(item.record) for item in named[session.external_id])
    known = list(sessions.values())
    changed = [session for session in known if _learn(session, named[session.external_id])]
    for session in fresh:
        _learn(session, named[session.external_id])
    Session.objects.bulk_create(fresh, batch_size=CHUNK)
    Session.objects.bulk_update(changed, ["outcome", "started_at", "user"], batch_size=CHUNK)
    return {session.external_id: session for session in [*known, *fresh]}


def _existing(agent: Agent, names: list[str]) -> dict[str, Session]:
    return {
        session.external_id: session
        for chunk in chunks(names)
        for session in Session.objects.filter(agent=agent, external_id__in=chunk)
    }


def _learn(session: Session, items: Sequence[Staged]) -> bool:
    """Takes over what the records say; the last one that names an outcome is right."""
    before = (session.outcome, session.started_at, session.user)
    for item in items:
        outcome = item.record.attributes.get("outcome")
        if outcome in (Outcome.SUCCESS, Outcome.FAILURE):
            session.outcome = Outcome(outcome)
        session.user = session.user or fitted(item.ids[4], 200)
        session.started_at = min(session.started_at, started_at(item.record))
    return (session.outcome, session.started_at, session.user) != before
