"""A trace as the tree that its spans name, whatever is missing in it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from apps.accounts.models import Agent
from apps.traces.models import Kind, Span

MOST_SPANS = 2_000
_FIELDS = (
    "span_id", "parent_id", "kind", "name", "action", "started_at", "latency_ms", "status", "model",
    "input_tokens", "output_tokens", "cost", "cost_computed", "partial",
)  # fmt: skip


@dataclass(frozen=True)
class Node:
    """A span with its depth; `offset` and `width` are its place in the trace's time, from 0 to 1."""

    span: Span
    depth: int
    offset: float
    width: float

    @property
    def indent(self) -> int:
        return min(self.depth, 8)

    @property
    def offset_hundredths(self) -> str:
        return f"{100 * self.offset:.2f}"

    @property
    def width_hundredths(self) -> str:
        """Never too narrow to be seen."""
        return f"{max(1.0, 100 * self.width):.2f}"


@dataclass(frozen=True)
class Trace:
    """`tokens` and `cost` are of the calls alone, so nothing counts twice."""

    nodes: list[Node]
    is_cut: bool
    calls: int
    tokens: int
    cost: float | None
    started_at: datetime | None
    latency_ms: float


def trace_of(agent: Agent, trace_id: str) -> Trace:
    """At most the first 2,000 spans by time. One query."""
    spans = Span.objects.of_trace(agent, trace_id)
    found = list(spans.only(*_FIELDS).order_by("started_at", "pk")[: MOST_SPANS + 1])
    shown = found[:MOST_SPANS]
    for span in shown:
        span.agent = agent  # whose slug each address holds; not one query a row
    begin = min((span.started_at for span in shown), default=None)
    end = max((_ended_at(span) for span in shown), default=None)
    calls = [span for span in shown if span.kind == Kind.LLM]
    costs = [span.cost for span in calls if span.cost is not None]
    return Trace(
        nodes=[_node(span, depth, begin, end) for span, depth in ordered(shown)],
        is_cut=len(found) > MOST_SPANS,
        calls=len(calls),
        tokens=sum((span.input_tokens or 0) + (span.output_tokens or 0) for span in calls),
        cost=sum(costs) if costs else None,
        started_at=begin,
        latency_ms=(end - begin).total_seconds() * 1000 if begin and end else 0.0,
    )


def ordered(spans: Iterable[Span]) -> Iterator[tuple[Span, int]]:
    """Parents before children, siblings as given. Who names no known parent, or itself, stands at the top."""
    listed = list(spans)
    known = {span.span_id for span in listed}
    children: dict[str, list[Span]] = {}
    for span in listed:
        parent = span.parent_id if span.parent_id in known and span.parent_id != span.span_id else ""
        children.setdefault(parent, []).append(span)
    seen: set[str] = set()
    for start in (children.get("", []), listed):  # the second round is for circles, which have no top
        waiting = [(span, 0) for span in reversed(start)]
        while waiting:
            span, depth = waiting.pop()
            if span.span_id in seen:
                continue
            seen.add(span.span_id)
            yield span, depth
            waiting += [(child, depth + 1) for child in reversed(children.get(span.span_id, []))]


def _ended_at(span: Span) -> datetime:
    return span.started_at + timedelta(milliseconds=span.latency_ms or 0)


def _node(span: Span, depth: int, begin: datetime | None, end: datetime | None) -> Node:
    whole = (end - begin).total_seconds() if begin and end else 0.0
    if begin is None or whole <= 0:
        return Node(span, depth, 0.0, 1.0)
    offset = (span.started_at - begin).total_seconds() / whole
    return Node(span, depth, offset, (span.latency_ms or 0) / 1000 / whole)
