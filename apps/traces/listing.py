"""The list of calls: narrowed, counted up to a bound, summed up over a sample."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from django.db.models import QuerySet
from django.db.models.functions import Left

from apps.accounts.models import Agent
from apps.contents.models import Content
from apps.contents.search import MOST_HITS, matching
from apps.contents.text import preview_of
from apps.core.facets import Filters
from apps.traces.facets import call_facets
from apps.traces.models import Introduction, Span, SpanQuerySet, Status

COUNT_UP_TO = 10_000
SAMPLE = 1_000
# So many spans are read one by one and sorted; more lie densely enough in the list to be met there.
FEW_HITS = 1_000
RARE_EMITTER = 5_000
_BEFORE, _AFTER = 24, 90
_NOT_LISTED = ("parameters", "attributes", "error", "routing_key")


@dataclass(frozen=True)
class Search:
    """The calls that match, and the messages through which a text matched."""

    spans: QuerySet[Span]
    filters: Filters
    hits: Sequence[int] = ()

    @property
    def is_cut(self) -> bool:
        return len(self.hits) >= MOST_HITS


@dataclass(frozen=True)
class Figures:
    """`calls` is exact up to `COUNT_UP_TO`; the rest is of the latest `sample` calls."""

    calls: int
    sample: int
    sessions: int
    tokens: int | None
    error_share: float | None
    latency_ms: float | None

    @property
    def is_capped(self) -> bool:
        return self.calls > COUNT_UP_TO

    @property
    def is_sampled(self) -> bool:
        return self.calls > self.sample

    @property
    def sample_text(self) -> str:
        return f"{self.sample:,}"


@dataclass(frozen=True)
class CallRow:
    span: Span
    asked: str
    answered: str
    snippet: tuple[str, str, str] | None = None


def search(agent: Agent, given: Mapping[str, str]) -> Search:
    """Calls of the agent, or spans of another kind, narrowed by the parameters of `call_facets`."""
    filters = Filters(call_facets(agent), given)
    spans, hits = _begin(agent, filters)
    narrowed = filters.narrow(spans).select_related("session").defer(*_NOT_LISTED)
    return Search(narrowed, filters, hits)


def _begin(agent: Agent, filters: Filters) -> tuple[SpanQuerySet, Sequence[int]]:
    """The spans that the list is taken from: few are stepped to, many are walked in their order."""
    text, emitter = filters["q"], filters["emitter"]
    if text:
        hits = matching(agent.workspace, text)
        introducing = Introduction.objects.filter(content__in=hits, span__agent=agent)
        spans = introducing.values_list("span", flat=True)
        few = list(spans[: FEW_HITS + 1])
        if len(few) > FEW_HITS:
            return Span.objects.filter(agent=agent, pk__in=spans), hits
        return Span.objects.of_agent_by_key(agent).filter(pk__in=few), hits
    if emitter and agent.emitters.filter(pk=emitter, accepted__lte=RARE_EMITTER).exists():
        return Span.objects.of_agent_by_key(agent), ()
    return Span.objects.filter(agent=agent), ()


def figures(spans: QuerySet[Span]) -> Figures:
    latest = spans.order_by("-started_at", "-pk")[:SAMPLE]
    rows = list(latest.values_list("session", "status", "latency_ms", "input_tokens", "output_tokens"))
    calls = len(rows) if len(rows) < SAMPLE else spans.order_by()[: COUNT_UP_TO + 1].count()
    latencies = [latency for _, _, latency, _, _ in rows if latency is not None]
    tokens = [(asked or 0) + (answered or 0) for *_, asked, answered in rows if asked is not None]
    return Figures(
        calls=calls,
        sample=len(rows),
        sessions=len({session for session, *_ in rows if session is not None}),
        tokens=round(sum(tokens) / len(tokens)) if tokens else None,
        error_share=sum(status == Status.ERROR for _, status, *_ in rows) / len(rows) if rows else None,
        latency_ms=median(latencies) if latencies else None,
    )


def rows_of(agent: Agent, spans: Sequence[Span], found: Search | None = None) -> list[CallRow]:
    """What each call was asked and answered, read now, so that a decided finding shows at once."""
    for span in spans:
        span.agent = agent  # whose slug each address holds; not one query a row
    texts = _beginnings({pk for span in spans for pk in (*span.message_ids[-1:], span.output_id) if pk})
    snippets = _snippets(found, spans) if found and found.hits else {}
    return [
        CallRow(
            span=span,
            asked=texts.get(span.message_ids[-1], "") if span.message_ids else "",
            answered=texts.get(span.output_id or 0, ""),
            snippet=snippets.get(span.pk),
        )
        for span in spans
    ]


def _beginnings(ids: set[int]) -> dict[int, str]:
    rows = Content.objects.filter(pk__in=ids).values_list("pk", Left("text", 400))
    return {pk: preview_of(text) for pk, text in rows}


def _snippets(found: Search, spans: Sequence[Span]) -> dict[int, tuple[str, str, str]]:
    """Per call the place where a message that it introduced matches: (before, hit, after)."""
    word = re.search(r"[^\W_]+", found.filters["q"])
    if word is None:
        return {}
    rows = Introduction.objects.filter(span__in=[span.pk for span in spans], content__in=found.hits)
    # The earliest of several wins.
    rows = rows.select_related("content").order_by("-position")
    return {row.span_id: _around(row.content.text, word.group()) for row in rows}


def _around(text: str, word: str) -> tuple[str, str, str]:
    found = re.search(re.escape(word), text, re.IGNORECASE)
    if found is None:
        return preview_of(text), "", ""
    at, end = found.span()
    before = ("…" if at > _BEFORE else "") + text[max(0, at - _BEFORE) : at]
    return before, text[at:end], text[end : end + _AFTER] + ("…" if len(text) > end + _AFTER else "")
