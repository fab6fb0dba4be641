"""What Langfuse's SDKs write on OTLP spans."""

from __future__ import annotations

from typing import Any

from slmhub.formats.fields import instant_of, text_of
from slmhub.formats.otlp.reading import Reading
from slmhub.formats.otlp.values import Taken, decoded, end, strings_of, unquoted, unwrapped
from slmhub.formats.otlp.wire import SpanData
from slmhub.formats.platforms.langfuse_contents import answered_of, asked_of, is_tool_result, tool_name
from slmhub.formats.platforms.langfuse_usage import cost_of, usage_of
from slmhub.formats.records import Issue, SpanKind, Usage

NAME = "langfuse"

_KINDS = {
    "generation": SpanKind.LLM,
    "embedding": SpanKind.EMBEDDING,
    "agent": SpanKind.AGENT,
    "tool": SpanKind.TOOL,
    "chain": SpanKind.CHAIN,
    "span": SpanKind.CHAIN,
    "retriever": SpanKind.RETRIEVER,
}
_OWN = "langfuse.observation."
_METADATA = ("langfuse.trace.metadata", "langfuse.observation.metadata")
_MARKS = (
    "langfuse.observation.type",
    "langfuse.observation.input",
    "langfuse.observation.output",
    "langfuse.observation.model.name",
    "langfuse.trace.name",
    "langfuse.internal.as_root",
    "langfuse.internal.is_app_root",
)
_NO_ENVIRONMENT = "default"
_MODEL_CALLS = (SpanKind.LLM, SpanKind.EMBEDDING)


def claims(attributes: dict[str, Any]) -> bool:
    return any(mark in attributes for mark in _MARKS)


def read(span: SpanData, issues: set[Issue]) -> Reading:
    taken = Taken(span.attributes)
    environment = taken.text("langfuse.environment")
    reading = Reading(
        kind=_kind_of(taken),
        session=taken.text("langfuse.session.id", "session.id", "langfuse.trace.session_id"),
        user=taken.text("langfuse.user.id", "user.id", "langfuse.trace.user_id"),
        environment=None if environment == _NO_ENVIRONMENT else environment,
        model=taken.text(_OWN + "model.name"),
        usage=usage_of(taken.object(_OWN + "usage_details", issues)),
        cost=cost_of({"costDetails": taken.object(_OWN + "cost_details", issues)}),
        tags=strings_of(taken.take("langfuse.trace.tags", "langfuse.tags"), issues),
        metadata=_metadata_of(taken, issues),
    )
    if taken.given.get(_OWN + "level") == "ERROR":
        message = taken.take(_OWN + "status_message")
        reading.error = message if isinstance(message, str) and message else "error"

    # The SDK writes this time as a JSON string, in its quotes.
    given = unquoted(taken.given.get(_OWN + "completion_start_time"))
    first_token = instant_of(given, issues) if isinstance(given, str | int | float) else None
    if first_token is not None and span.start_ns:
        taken.keys.add(_OWN + "completion_start_time")
        reading.ttft_ms = max(0.0, first_token.timestamp() * 1000 - span.start_ns / 1e6)

    _read_contents(span, taken, reading, issues)
    reading.taken = taken.keys
    return reading


def _kind_of(taken: Taken) -> SpanKind | None:
    given = text_of(taken.given.get(_OWN + "type"))
    if given is None:
        return None
    kind = _KINDS.get(given.lower())
    if kind is not None:
        taken.keys.add(_OWN + "type")
    return kind or SpanKind.OTHER


def _metadata_of(taken: Taken, issues: set[Issue]) -> dict[str, Any]:
    metadata: dict[str, Any] = {}
    for prefix in _METADATA:
        whole = decoded(unquoted(taken.take(prefix)), issues)
        if whole is not None:
            metadata |= whole if isinstance(whole, dict) else {"metadata": whole}
        for key, value in taken.under(prefix + ".").items():
            metadata[key] = decoded(unquoted(value), issues)
    return metadata


def _read_contents(span: SpanData, taken: Taken, reading: Reading, issues: set[Issue]) -> None:
    # The SDK writes the default of every parameter; "Infinity" stands for none.
    parameters = taken.object(_OWN + "model.parameters", issues)
    body = {
        "name": span.name,
        "input": _given(taken.take(_OWN + "input"), reading.kind, issues),
        "output": _given(taken.take(_OWN + "output"), reading.kind, issues),
        "modelParameters": {key: value for key, value in parameters.items() if value != "Infinity"},
        "metadata": reading.metadata,
    }
    if reading.kind is SpanKind.CHAIN and is_tool_result(body):
        reading.kind = SpanKind.TOOL
    kind = reading.kind or SpanKind.OTHER
    if kind is SpanKind.TOOL:
        reading.name = tool_name(body, span.attributes)
    asked = asked_of(kind, body, span.attributes, issues)
    answered = answered_of(kind, body, span.attributes, issues)
    reading.messages, reading.tools, reading.streamed = asked.messages, asked.tools, asked.streamed
    reading.parameters, reading.user = asked.parameters, reading.user or asked.user
    reading.model = answered.model or reading.model or asked.model
    reading.output, reading.response_id = answered.output, answered.response_id
    reading.error = reading.error or answered.error
    reading.attributes = {key: value for key, value in answered.attributes.items() if value}
    end(reading, answered.finish_reason_given or answered.finish_reason)
    if kind in _MODEL_CALLS and reading.usage == Usage():
        reading.usage = answered.usage


def _given(value: Any, kind: SpanKind | None, issues: set[Issue]) -> Any:
    """The decoded value; what a tool was given and gave stays as it was written."""
    whole = decoded(value, issues)
    inner = unwrapped(whole, issues)
    return value if kind is SpanKind.TOOL and inner is whole else inner
