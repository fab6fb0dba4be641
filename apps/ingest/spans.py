"""The narrow row of a span: what lists and charts need, and where its messages are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from msgspec.structs import replace

from apps.accounts.models import Agent
from apps.ingest.decode import ServedRecord
from apps.ingest.pending import PendingSpan, aware, counted, fitted, is_of_the_demo, says_simulated
from apps.traces.models import Audience, Emitter, Kind, Session, Source, Span, Status
from apps.traces.parts import Parts
from slmhub.formats import Record, signature
from slmhub.formats.records import Issue, SpanKind

USAGE = "usage_reported"
MODEL_KINDS = frozenset({Kind.LLM, Kind.EMBEDDING})
_COLUMNS = {
    "input": "input_tokens",
    "output": "output_tokens",
    "cached_input": "cached_tokens",
    "cache_write": "cache_write_tokens",
    "reasoning": "reasoning_tokens",
    "cost": "cost",
}


class StoredContent(NamedTuple):
    """A stored content: its id and the beginning of its redacted text."""

    pk: int
    preview: str


@dataclass(frozen=True)
class SpanContext:
    agent: Agent
    source: Source
    session: Session | None
    emitter: Emitter


def span_of(item: PendingSpan, context: SpanContext, known: Mapping[bytes, StoredContent]) -> Span:
    """An unsaved span; ids and details of `item` are redacted already."""
    record, details = item.record, item.details
    served = record.served if isinstance(record, ServedRecord) else None
    trace_id, span_id = item.key
    output = known[item.output] if item.output else None
    span = Span(
        workspace_id=context.agent.workspace_id,
        agent_id=context.agent.pk,
        session_id=context.session.pk if context.session else None,
        trace_id=trace_id,
        span_id=span_id,
        parent_id=fitted(item.ids[2], 100),
        kind=record.kind.value,
        source=context.source.value,
        emitter_id=context.emitter.pk,
        format=record.format[:40],
        environment=details["environment"][:60],
        user=item.user,
        name=details["name"][:200],
        started_at=item.started_at,
        latency_ms=record.latency_ms,
        ttft_ms=record.ttft_ms,
        provider=details["provider"][:60],
        model=details["model"][:120],
        served_by=served.by[:120] if served else "",
        fallback=served.fallback[:200] if served else "",
        simulated=(served.simulated if served else says_simulated(record)) or is_of_the_demo(record),
        error=details["error"][:500],
        finish_reason=details["finish_reason"][:30],
        action=fitted(details["action"], 200),
        previous=fitted(details["previous"], 120),
        routing_key=signature.routing_signature(record.messages, record.tools),
        tools_id=known[item.tools].pk if item.tools else None,
        output_id=output.pk if output else None,
        details_id=known[item.long].pk if item.long else None,
        message_ids=[known[digest].pk for digest in item.messages],
        parameters=details["parameters"],
        attributes=details["attributes"],
        issues=item.issues,
        dropped_attributes=counted(record.dropped) or 0,
        partial=record.partial,
        revised_at=aware(record.revised_at) if record.revised_at else None,
        delivered=item.fingerprint,
        parts=_parts_of(item),
        input_preview=known[item.messages[-1]].preview if item.messages else "",
        output_preview=output.preview if output else "",
    )
    place_usage(span, _usage_of(record))
    settle(span)
    return span


def settle(span: Span) -> None:
    """Sets what follows from the rest of the row."""
    span.status = Status.ERROR if span.error else Status.OK
    span.audience = Audience(signature.audience(span.action, span.parameters))


def usage_of(span: Span) -> dict[str, Any]:
    """Token counts and cost that the emitter gave, wherever they stand."""
    if span.kind in MODEL_KINDS:
        given = {name: getattr(span, column) for name, column in _COLUMNS.items()}
        if span.cost_computed:
            given["cost"] = None
    else:
        reported = span.attributes.get(USAGE)
        given = {name: reported.get(name) for name in _COLUMNS} if isinstance(reported, dict) else {}
    return {name: value for name, value in given.items() if value is not None}


def place_usage(span: Span, usage: dict[str, Any]) -> None:
    """Usage counts on model calls only: on whatever stands around them it would be the same tokens again."""
    is_counted = span.kind in MODEL_KINDS
    for name, column in _COLUMNS.items():
        setattr(span, column, usage.get(name) if is_counted else None)
    span.cost_computed = False
    reported = span.attributes.get(USAGE)
    rest = (
        {name: value for name, value in reported.items() if name not in _COLUMNS or not is_counted}
        if (isinstance(reported, dict))
        else {}
    )
    if not is_counted:
        rest |= usage
    kept = {key: value for key, value in span.attributes.items() if key != USAGE}
    if rest or usage or USAGE in span.attributes:
        span.attributes = {**kept, USAGE: rest} if rest else kept


def stated_kind(span: Span) -> str:
    """What its emitter calls it: a demoted wrapper still says that it is a model span."""
    return span.parts.kind if span.parts and span.parts.kind else span.kind


def demote(span: Span) -> None:
    """Makes a chain of a model span that has another one below it: only the innermost is a call."""
    usage = usage_of(span)
    span.parts = replace(span.parts or Parts(), kind=stated_kind(span))
    span.kind = Kind.CHAIN
    span.issues = sorted({*span.issues, Issue.WRAPS_MODEL_CALL.value})
    place_usage(span, usage)


def _usage_of(record: Record) -> dict[str, Any]:
    given = {name: counted(getattr(record.usage, name)) for name in record.usage.__struct_fields__}
    return {name: value for name, value in {**given, "cost": record.cost}.items() if value is not None}


def _parts_of(item: PendingSpan) -> Parts | None:
    """What the columns do not say but later parts of the span may need."""
    record = item.record
    parts = Parts(guessed=item.is_guess, times=record.message_times)
    if record.ended_at is not None and record.latency_ms is None:
        parts.ended_at = aware(record.ended_at).isoformat()
    if Issue.WRAPS_MODEL_CALL in item.issues and record.kind is SpanKind.CHAIN:
        parts.kind = Kind.LLM.value
    return parts if parts != Parts() else None
