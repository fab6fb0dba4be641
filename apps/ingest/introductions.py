"""Which call of a session first showed a message: a search hit leads there, and what is new is known.

Within a session the earlier call introduces, whichever arrived first. Calls without a session share one
scope per agent, where the first to arrive introduces.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from heapq import nsmallest
from typing import NamedTuple

from django.db.models import Max

from apps.accounts.models import Agent
from apps.contents.services import chunks
from apps.core.bulk import insert_values, update
from apps.ingest.lookup import spans_of_traces
from apps.traces.models import Introduction, Kind, Span

# A longer session is not put in order again when an earlier call comes late.
LONGEST_SESSION = 20_000


class Shown(NamedTuple):
    """A call showed this content first, at this position among its messages."""

    span: Span
    content_id: int
    position: int


def order_of(span: Span) -> tuple[datetime, int, str, str]:
    """Of calls that began at the same moment the one with the longer history is the later one."""
    return span.started_at, len(span.message_ids), span.trace_id, span.span_id


class Introductions:
    """Works out what the calls of a batch introduce; `save` once the new spans have ids."""

    def __init__(self, agent: Agent) -> None:
        self.agent = agent
        self.shown: list[Shown] = []
        self.gone: list[int] = []
        # Stored calls whose history now reads differently.
        self.renumbered: list[Span] = []

    def of(self, fresh: Iterable[Span], revised: Sequence[Span], left: Iterable[int]) -> None:
        """`fresh` are unsaved, `revised` stored spans that changed, `left` sessions that they were in."""
        for span in revised:
            span.new_from = span.new_from if span.kind == Kind.LLM else 0
        by_session: dict[int, list[Span]] = defaultdict(list)
        loose: list[Span] = []
        for span in fresh:
            if span.kind == Kind.LLM:
                (loose if span.session_id is None else by_session[span.session_id]).append(span)
        late = {span.session_id for span in revised if span.session_id is not None} | set(left)
        late |= self._late(by_session)
        self._append({pk: spans for pk, spans in by_session.items() if pk not in late})
        for session_id in sorted(late):
            self._again(session_id, by_session.get(session_id, []), revised)
        self._loose([span for span in revised if span.session_id is None], loose)

    def save(self) -> None:
        for chunk in chunks(self.gone):
            Introduction.objects.filter(pk__in=chunk).delete()
        rows = [(shown.span.pk, shown.content_id, shown.position) for shown in self.shown]
        insert_values(Introduction, ("span", "content", "position"), rows)
        update(self.renumbered, ["new_from"])

    def _late(self, fresh: dict[int, list[Span]]) -> set[int]:
        """Sessions in which a new call is not simply the last one."""
        late: set[int] = set()
        calls = Span.objects.calls().order_by()
        for chunk in chunks(list(fresh)):
            ends = calls.filter(session__in=chunk).values_list("session_id").annotate(last=Max("started_at"))
            late |= {pk for pk, last in ends if pk and min(span.started_at for span in fresh[pk]) <= last}
        return late

    def _append(self, fresh: dict[int, list[Span]]) -> None:
        seen: dict[int, set[int]] = defaultdict(set)
        for chunk in chunks(list(fresh)):
            rows = Introduction.objects.filter(span__session__in=chunk)
            for session_id, content_id in rows.values_list("span__session_id", "content_id"):
                seen[session_id or 0].add(content_id)
        for session_id, spans in fresh.items():
            for span in sorted(spans, key=order_of):
                self.shown += introduce(span, seen[session_id])

    def _again(self, session_id: int, fresh: list[Span], revised: Sequence[Span]) -> None:
        mine = {span.pk: span for span in revised if span.session_id == session_id}
        stored = Span.objects.filter(session=session_id).only(
            "kind", "session_id", "started_at", "trace_id", "span_id", "message_ids", "output_id", "new_from"
        )
        # Of what changed, the rows are not saved yet.
        changed = {span.pk for span in revised}
        unchanged = [span for span in stored.order_by("pk")[:LONGEST_SESSION] if span.pk not in changed]
        spans = {span.pk: span for span in unchanged} | mine
        existing = {
            (span_id, content_id, position): pk
            for pk, span_id, content_id, position in self._existing(list(spans))
        }
        seen: set[int] = set()
        calls = [span for span in [*spans.values(), *fresh] if _is_in(span, session_id)]
        for span in sorted(calls, key=order_of):
            before = span.new_from
            for shown in introduce(span, seen):
                if existing.pop((span.pk, shown.content_id, shown.position), None) is None:
                    self.shown.append(shown)
            if span.pk and span.pk not in mine and span.new_from != before:
                self.renumbered.append(span)
        self.gone += existing.values()

    def _existing(self, pks: list[int]) -> Iterable[tuple[int, int, int, int]]:
        for chunk in chunks(pks):
            rows = Introduction.objects.filter(span__in=chunk)
            yield from rows.values_list("pk", "span_id", "content_id", "position")

    def _loose(self, revised: Sequence[Span], fresh: Sequence[Span]) -> None:
        """What changed spans introduced is said anew, by another call of the trace if need be."""
        gone = {pk: content_id for pk, _, content_id, _ in self._existing([span.pk for span in revised])}
        self.gone += gone
        wanted = {pk for span in (*revised, *fresh) for pk in _contents(span)}
        seen: set[int] = set()
        for chunk in chunks(sorted(wanted)):
            rows = Introduction.objects.filter(content__in=chunk, span__agent=self.agent, span__session=None)
            seen |= {content_id for pk, content_id in rows.values_list("pk", "content") if pk not in gone}
        for span in (*revised, *fresh):
            if span.kind == Kind.LLM:
                self.shown += introduce(span, seen)
        if left := set(gone.values()) - seen:
            self._hand_over(left, revised)

    def _hand_over(self, left: set[int], revised: Sequence[Span]) -> None:
        own = {span.pk for span in revised}
        others = [
            pk for pk in spans_of_traces(self.agent, (span.trace_id for span in revised)) if pk not in own
        ]
        calls = Span.objects.calls().filter(session=None).only("message_ids", "output_id", "started_at")
        found = (span for chunk in chunks(others) for span in calls.filter(pk__in=chunk))
        for span in nsmallest(LONGEST_SESSION, found, key=lambda one: (one.started_at, one.pk)):
            for position, content_id in enumerate(_contents(span)):
                if content_id in left:
                    left.discard(content_id)
                    self.shown.append(Shown(span, content_id, position))


def introduce(span: Span, seen: set[int]) -> list[Shown]:
    """What this call shows first; sets `new_from`, adds to `seen`."""
    fresh: dict[int, int] = {}
    for position, content_id in enumerate(span.message_ids):
        if content_id not in seen:
            fresh.setdefault(content_id, position)
    span.new_from = min(fresh.values(), default=len(span.message_ids)) if span.session_id else 0
    if span.output_id is not None and span.output_id not in seen:
        fresh.setdefault(span.output_id, len(span.message_ids))
    seen.update(fresh)
    return [Shown(span, content_id, position) for content_id, position in fresh.items()]


def _is_in(span: Span, session_id: int) -> bool:
    return span.kind == Kind.LLM and span.session_id == session_id


def _contents(span: Span) -> list[int]:
    return [*span.message_ids, *([span.output_id] if span.output_id else [])]
