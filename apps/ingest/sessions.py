"""The sessions of a batch: found or made, with what its spans say about them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from apps.accounts.models import Agent
from apps.contents.services import CHUNK, chunks
from apps.core.bulk import update
from apps.ingest.pending import PendingSpan
from apps.traces.models import Outcome, Session, Span


def sessions_for(agent: Agent, items: Sequence[PendingSpan]) -> dict[str, Session]:
    """Session by external id for the items that name one."""
    begun: dict[str, PendingSpan] = {}
    for item in items:
        name = item.session
        if name and (name not in begun or item.started_at < begun[name].started_at):
            begun[name] = item
    sessions = {
        session.external_id: session
        for chunk in chunks(list(begun))
        for session in Session.objects.filter(agent=agent, external_id__in=chunk)
    }
    fresh = [
        Session(agent=agent, external_id=name, started_at=item.started_at, user=item.user)
        for name, item in begun.items()
        if name not in sessions
    ]
    Session.objects.bulk_create(fresh, batch_size=CHUNK)
    return sessions | {session.external_id: session for session in fresh}


def learn(sessions: Iterable[Session], spans: Iterable[Span]) -> None:
    """Takes over what spans say about their sessions; the last one that names an outcome is right."""
    known = {session.pk: session for session in sessions}
    joined = [(span.session_id, span) for span in spans if span.session_id is not None]
    for chunk in chunks(sorted({pk for pk, _ in joined if pk not in known})):
        known |= Session.objects.in_bulk(chunk)
    changed = {pk for pk, span in joined if _learn(known[pk], span)}
    rows = [known[pk] for pk in sorted(changed)]
    update(rows, ["outcome", "started_at", "user"])


def forget(session_ids: Iterable[int]) -> None:
    """What the sessions learnt from spans that have left them; those that stayed say it again."""
    for session in Session.objects.filter(pk__in=list(session_ids)):
        spans = Span.objects.filter(session=session).order_by("started_at", "trace_id", "span_id")
        begun = spans.values_list("started_at", flat=True).first()
        session.started_at = begun or session.started_at
        session.user = spans.exclude(user="").values_list("user", flat=True).first() or ""
        session.save(update_fields=["started_at", "user"])


def _learn(session: Session, span: Span) -> bool:
    before = (session.outcome, session.started_at, session.user)
    outcome = span.attributes.get("outcome")
    if outcome in (Outcome.SUCCESS, Outcome.FAILURE):
        session.outcome = Outcome(outcome)
    session.user = session.user or span.user
    session.started_at = min(session.started_at, span.started_at)
    return (session.outcome, session.started_at, session.user) != before
