"""What only the tree of a trace shows: model spans around model spans, and the session that one span names.

A trace arrives in any order and over any number of batches; the same tree gives the same rows.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from msgspec.structs import replace

from apps.accounts.models import Agent
from apps.contents.services import chunks
from apps.ingest.lookup import spans_of_traces
from apps.ingest.spans import MODEL_KINDS, demote
from apps.traces.models import Span
from apps.traces.parts import Parts

# A batch changes at most so many stored spans of its traces.
MOST_CHANGED = 20_000
_COLUMNS = ("pk", "trace_id", "span_id", "parent_id", "kind", "session_id", "started_at", "parts")


@dataclass(slots=True)
class _Member:
    pk: int | None
    span_id: str
    parent_id: str
    kind: str
    is_demoted: bool
    session_id: int | None
    inherits: bool
    started_at: datetime
    span: Span | None = None


class Change(NamedTuple):
    """A span that reads differently now, and the session that it was in before."""

    span: Span
    was_in: int | None


def settled(agent: Agent, touched: Sequence[Span]) -> list[Change]:
    """Demotes wrappers and hands sessions down in the traces of these spans, new or completed."""
    families = _families(agent, touched)
    wrappers = [member for family in families for member in _wrappers(family)]
    heirs = [pair for family in families for pair in _heirs(family)]
    members = {id(member): member for member in (*wrappers, *(heir for heir, _ in heirs))}
    _read([member for member in members.values() if member.span is None][:MOST_CHANGED])
    for member in wrappers:
        if member.span is not None:
            demote(member.span)
    for member, session_id in heirs:
        if member.span is not None:
            member.span.session_id = session_id
            member.span.parts = replace(member.span.parts or Parts(), inherits=True)
    return [Change(one.span, one.session_id) for one in members.values() if one.span is not None]


def _families(agent: Agent, touched: Sequence[Span]) -> list[dict[str, _Member]]:
    """The members of each touched trace by span id."""
    families: dict[str, dict[str, _Member]] = defaultdict(dict)
    for chunk in chunks(spans_of_traces(agent, (span.trace_id for span in touched))):
        for said in Span.objects.filter(pk__in=chunk).values_list(*_COLUMNS, named=True):
            families[said.trace_id][said.span_id] = _member(said)
    for span in touched:
        families[span.trace_id][span.span_id] = _member(span, span)
    return [family for family in families.values() if len(family) > 1]


def _member(said: Any, span: Span | None = None) -> _Member:
    """`said` is a span or a row of its `_COLUMNS`."""
    parts: Parts = said.parts or Parts()
    stated = parts.kind or said.kind
    return _Member(
        pk=said.pk,
        span_id=said.span_id,
        parent_id=said.parent_id,
        kind=stated,
        is_demoted=stated != said.kind,
        session_id=said.session_id,
        inherits=parts.inherits,
        started_at=said.started_at,
        span=span,
    )


def _wrappers(family: dict[str, _Member]) -> Iterable[_Member]:
    """Members with a span of their own model kind below them that still count as calls."""
    passed: set[tuple[str, str]] = set()
    for member in family.values():
        if member.kind not in MODEL_KINDS:
            continue
        above = family.get(member.parent_id)
        # What is above a span that was passed was passed with it; so loops end, too.
        while above is not None and above is not member and (member.kind, above.span_id) not in passed:
            passed.add((member.kind, above.span_id))
            if above.kind == member.kind and not above.is_demoted:
                above.is_demoted = True
                yield above
            above = family.get(above.parent_id)


def _heirs(family: dict[str, _Member]) -> Iterable[tuple[_Member, int]]:
    """Members that name no session, with the one of their trace: its root's, else its earliest span's."""
    naming = [member for member in family.values() if member.session_id and not member.inherits]
    if not naming:
        return
    first = min(naming, key=lambda member: (bool(member.parent_id), member.started_at, member.span_id))
    for member in family.values():
        names_none = member.session_id is None or member.inherits
        if names_none and first.session_id and member.session_id != first.session_id:
            yield member, first.session_id


def _read(members: Sequence[_Member]) -> None:
    pks = [member.pk for member in members if member.pk is not None]
    spans = {span.pk: span for chunk in chunks(pks) for span in Span.objects.filter(pk__in=chunk)}
    for member in members:
        member.span = spans.get(member.pk or 0)
