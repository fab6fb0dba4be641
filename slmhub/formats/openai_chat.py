"""Logged chat completions: `{id?, session_id?, timestamp?, request, response, latency_ms?, metadata?}`."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from slmhub.formats.chat_shapes import message_of, messages_of, tools_of
from slmhub.formats.fields import (
    content_id,
    first_text,
    instant_of,
    number_of,
    object_of,
    outcome_of,
    text_of,
    texts_of,
    tokens_of,
)
from slmhub.formats.records import Issue, MalformedError, Message, Record, Reject, SpanKind, Usage

NAME = "openai_chat"
EXPECTED = "request and response"

_CARRIED = frozenset({"messages", "tools", "functions", "model"})
_SESSION_KEYS = ("session_id", "session", "conversation_id", "thread_id")
# fmt: off
_OWN_KEYS = frozenset((
    "id", "span_id", "trace_id", "parent_id", "timestamp", "started_at", "ended_at", "latency_ms", "ttft_ms",
    "request", "response", "error", "cost", "tags", "user", "agent", "provider", "metadata", "streamed",
    *_SESSION_KEYS,
))
# fmt: on


def matches(row: Any) -> bool:
    request = row.get("request") if isinstance(row, dict) else None
    return isinstance(request, dict) and "messages" in request


def records(row: dict[str, Any]) -> Iterator[Record | Reject]:
    yield parse(row)


def parse(row: dict[str, Any]) -> Record:
    """One logged call. Raises MalformedError when the row breaks the shape that it claims."""
    issues: set[Issue] = set()
    request, response = row["request"], object_of(row.get("response"), "response")
    messages = messages_of(request["messages"], issues, "request.messages")
    choice = _choice_of(response, issues)
    error = _error_of(row, response)
    if not choice and not error:
        raise MalformedError("response has no choices and the row has no error")
    record = _identified(row, request, response)
    record.messages, record.tools = messages, tools_of(request)
    record.output = _output_of(choice, issues)
    record.finish_reason, record.error = text_of(choice.get("finish_reason")), error
    record.usage = _usage_of(object_of(response.get("usage"), "response.usage"))
    _add_times(record, row, response, issues)
    record.attributes = _attributes_of(row, request, response, issues)
    return record


def _identified(row: dict[str, Any], request: dict[str, Any], response: dict[str, Any]) -> Record:
    metadata = object_of(row.get("metadata"), "metadata")
    places = (row, metadata, _metadata_of(request))
    span_id = first_text((row,), ("span_id", "id")) or content_id(row)
    model = text_of(response.get("model")) or text_of(request.get("model"))
    return Record(
        kind=SpanKind.LLM,
        name=f"chat {model}" if model else "chat",
        span_id=span_id,
        trace_id=text_of(row.get("trace_id")) or span_id,
        parent_id=text_of(row.get("parent_id")),
        session=first_text(places, _SESSION_KEYS),
        user=first_text((row, metadata, request), ("user", "user_id", "safety_identifier")),
        agent=first_text(places, ("agent", "agent_name")),
        provider=first_text((row, metadata), ("provider",)),
        model=model,
        parameters={key: value for key, value in request.items() if key not in _CARRIED},
        cost=number_of(row.get("cost")),
        tags=texts_of(row.get("tags") or metadata.get("tags")),
        format=NAME,
    )


def _choice_of(response: dict[str, Any], issues: set[Issue]) -> dict[str, Any]:
    choices = response.get("choices") or []
    if not isinstance(choices, list):
        raise MalformedError("response.choices must be a list")
    if len(choices) > 1:
        issues.add(Issue.SEVERAL_CHOICES)
    return object_of(choices[0], "response.choices[0]") if choices else {}


def _output_of(choice: dict[str, Any], issues: set[Issue]) -> Message | None:
    if not choice:
        return None
    message = object_of(choice.get("message"), "response.choices[0].message")
    return message_of({"role": "assistant", **message}, issues, "response.choices[0].message")


def _error_of(row: dict[str, Any], response: dict[str, Any]) -> str | None:
    error = row.get("error") or response.get("error")
    if isinstance(error, dict):
        return text_of(error.get("message")) or str(error)
    return str(error) if error else None


def _usage_of(usage: dict[str, Any]) -> Usage:
    prompt = object_of(usage.get("prompt_tokens_details"), "usage.prompt_tokens_details")
    completion = object_of(usage.get("completion_tokens_details"), "usage.completion_tokens_details")
    return Usage(
        input=tokens_of(usage.get("prompt_tokens")),
        output=tokens_of(usage.get("completion_tokens")),
        cached_input=tokens_of(prompt.get("cached_tokens")),
        reasoning=tokens_of(completion.get("reasoning_tokens")),
    )


def _add_times(record: Record, row: dict[str, Any], response: dict[str, Any], issues: set[Issue]) -> None:
    given = row.get("started_at") or row.get("timestamp") or response.get("created")
    record.started_at = instant_of(given, issues)
    record.ended_at = instant_of(row.get("ended_at"), issues)
    record.latency_ms, record.ttft_ms = number_of(row.get("latency_ms")), number_of(row.get("ttft_ms"))
    if record.started_at and record.ended_at is None and record.latency_ms is not None:
        record.ended_at = record.started_at + timedelta(milliseconds=record.latency_ms)
    elif record.started_at and record.ended_at and record.latency_ms is None:
        record.latency_ms = max(0.0, (record.ended_at - record.started_at).total_seconds() * 1000)


def _attributes_of(
    row: dict[str, Any], request: dict[str, Any], response: dict[str, Any], issues: set[Issue]
) -> dict[str, Any]:
    attributes: dict[str, Any] = {key: value for key, value in row.items() if key not in _OWN_KEYS}
    metadata = object_of(row.get("metadata"), "metadata")
    attributes |= {
        "metadata": metadata,
        "response_id": text_of(response.get("id")),
        "system_fingerprint": text_of(response.get("system_fingerprint")),
        "streamed": bool(request.get("stream") or row.get("streamed")),
        "outcome": outcome_of(metadata) or outcome_of(_metadata_of(request)),
        "issues": sorted(issues),
    }
    if Issue.TIMESTAMP_UNUSABLE in issues:
        attributes["timestamp"] = row.get("started_at") or row.get("timestamp") or response.get("created")
    return {key: value for key, value in attributes.items() if value not in (None, "", [], {}, False)}


def _metadata_of(request: dict[str, Any]) -> dict[str, Any]:
    metadata = request.get("metadata")
    return metadata if isinstance(metadata, dict) else {}
