"""What stands around a logged request and response: ids, session, people, times, cost, metadata."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec

from slmhub.formats.fields import (
    content_id,
    first_text,
    instant_of,
    number_of,
    object_of,
    outcome_of,
    telling,
    text_of,
    texts_of,
)
from slmhub.formats.providers.names import provider_of
from slmhub.formats.providers.shapes import Answered, Asked
from slmhub.formats.records import Issue, Record, SpanKind

_SESSION_KEYS = ("session_id", "session", "conversation_id", "thread_id")
_USER_KEYS = ("user", "user_id")
_AGENT_KEYS = ("agent", "agent_name")
# fmt: off
_OWN_KEYS = frozenset((
    "id", "span_id", "trace_id", "parent_id", "timestamp", "started_at", "ended_at", "latency_ms", "ttft_ms",
    "request", "response", "error", "cost", "tags", "provider", "metadata", "streamed", "environment",
    *_SESSION_KEYS, *_USER_KEYS, *_AGENT_KEYS,
))
# fmt: on


class Call(msgspec.Struct, kw_only=True):
    """What the row's request and response say. `address` names the provider, where the address is known."""

    format: str
    asked: Asked
    answered: Answered
    kind: SpanKind = SpanKind.LLM
    operation: str = "chat"
    address: str | None = None
    spoken: str | None = None
    emitter: str = ""


def record_of(row: dict[str, Any], call: Call, issues: set[Issue]) -> Record:
    """The call with everything that its row says beside it. Raises MalformedError."""
    asked, answered = call.asked, call.answered
    metadata = object_of(row.get("metadata"), "metadata")
    places = (row, metadata, asked.metadata)
    span_id = first_text((row,), ("span_id", "id")) or content_id(row)
    model = answered.model or asked.model
    record = Record(
        kind=call.kind,
        name=f"{call.operation} {model}" if model else call.operation,
        span_id=span_id,
        trace_id=text_of(row.get("trace_id")) or span_id,
        parent_id=text_of(row.get("parent_id")),
        session=first_text(places, _SESSION_KEYS),
        user=first_text((row, metadata), _USER_KEYS) or asked.user,
        agent=first_text(places, _AGENT_KEYS),
        environment=first_text((row, metadata), ("environment",)),
        provider=call.address or provider_of(first_text((row, metadata), ("provider",))) or call.spoken,
        model=model,
        parameters=asked.parameters,
        messages=asked.messages,
        tools=asked.tools,
        output=answered.output,
        usage=answered.usage,
        cost=number_of(row.get("cost")),
        finish_reason=answered.finish_reason,
        error=error_of(row) or answered.error,
        tags=texts_of(row.get("tags") or metadata.get("tags")),
        format=call.format,
        emitter=call.emitter,
    )
    _add_times(record, row, answered, issues)
    attributes = {key: value for key, value in row.items() if key not in _OWN_KEYS}
    attributes |= answered.attributes
    attributes |= {
        "metadata": {**asked.metadata, **metadata} if asked.metadata else metadata,
        "response_id": answered.response_id,
        "finish_reason_given": answered.finish_reason_given,
        "streamed": asked.streamed or bool(row.get("streamed")),
        "outcome": outcome_of(metadata) or outcome_of(asked.metadata),
        "issues": sorted(issues),
    }
    if Issue.TIMESTAMP_UNUSABLE in issues:
        attributes["timestamp"] = row.get("started_at") or row.get("timestamp") or answered.created
    record.attributes = telling(attributes)
    return record


def _add_times(record: Record, row: dict[str, Any], answered: Answered, issues: set[Issue]) -> None:
    """Of start, end and latency, two make the third."""
    given = row.get("started_at") or row.get("timestamp") or answered.created
    record.started_at = instant_of(given, issues)
    record.ended_at = instant_of(row.get("ended_at"), issues)
    record.latency_ms = number_of(row.get("latency_ms"))
    record.ttft_ms = number_of(row.get("ttft_ms"))
    if record.latency_ms is None and not record.ended_at:
        record.latency_ms = answered.latency_ms
    if not record.started_at:
        return
    if record.ended_at is None and record.latency_ms is not None:
        try:
            record.ended_at = record.started_at + timedelta(milliseconds=record.latency_ms)
        except OverflowError:
            issues.add(Issue.TIMESTAMP_UNUSABLE)
    elif record.ended_at and record.latency_ms is None:
        record.latency_ms = max(0.0, (record.ended_at - record.started_at).total_seconds() * 1000)


def error_of(row: dict[str, Any]) -> str | None:
    """What the row itself says went wrong, beside the response."""
    error = row.get("error")
    if isinstance(error, dict):
        return text_of(error.get("message")) or str(error)
    return str(error) if error else None
