"""Spans and logs as an emitter would export them."""

from __future__ import annotations

import json
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue

from slmhub.formats.otlp import wire
from slmhub.formats.otlp.read import records_of_spans
from slmhub.formats.otlp.wire import EventData, LogData, SpanData
from slmhub.formats.records import Record

TRACE, SPAN, PARENT = "ab" * 16, "cd" * 8, "ef" * 8
START_NS = 1_795_444_853_000_000_000

INPUT = [
    {"role": "system", "parts": [{"type": "text", "content": "You help with orders."}]},
    {"role": "user", "parts": [{"type": "text", "content": "Where is #W1?"}]},
]
ANSWER = [
    {"role": "assistant", "parts": [{"type": "text", "content": "On its way."}], "finish_reason": "stop"}
]
MESSAGES = [
    {"role": "system", "content": "You help with orders."},
    {"role": "user", "content": "Where is #W1?"},
]
OUTPUT = {"role": "assistant", "content": "On its way."}
CHAT = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-4o",
    "gen_ai.usage.input_tokens": 12,
    "gen_ai.usage.output_tokens": 5,
    "gen_ai.input.messages": json.dumps(INPUT),
    "gen_ai.output.messages": json.dumps(ANSWER),
}


def span(attributes: dict[str, Any] | None = None, **changes: Any) -> SpanData:
    fields: dict[str, Any] = {
        "trace_id": TRACE,
        "span_id": SPAN,
        "parent_id": None,
        "name": "chat gpt-4o",
        "kind": 3,
        "start_ns": START_NS,
        "end_ns": START_NS + 1_500_000_000,
        "attributes": dict(CHAT if attributes is None else attributes),
        "dropped": 0,
        "events": [],
        "status_code": 0,
        "status_message": "",
        "scope": "some.instrumentation 1.0",
        "resource": {},
    }
    return SpanData(**fields | changes)


def event(name: str, **attributes: Any) -> EventData:
    return EventData(name, START_NS, attributes)


def log(name: str, body: Any = None, **changes: Any) -> LogData:
    fields: dict[str, Any] = {
        "trace_id": TRACE,
        "span_id": SPAN,
        "time_ns": START_NS,
        "name": name,
        "body": body,
        "attributes": {"gen_ai.system": "openai"},
        "severity": 9,
        "scope": "some.instrumentation 1.0",
        "resource": {},
    }
    return LogData(**fields | changes)


def record(attributes: dict[str, Any] | None = None, **changes: Any) -> Record:
    return next(iter(records_of_spans([span(attributes, **changes)])))


def issues_of(record: Record) -> list[str]:
    return record.attributes.get("issues", [])


def fill(value: AnyValue, given: Any) -> None:
    """Puts a Python value into an AnyValue."""
    match given:
        case bool():
            value.bool_value = given
        case int():
            value.int_value = given
        case float():
            value.double_value = given
        case bytes():
            value.bytes_value = given
        case list():
            value.array_value.SetInParent()
            for item in given:
                fill(value.array_value.values.add(), item)
        case dict():
            value.kvlist_value.SetInParent()
            for key, item in given.items():
                pair = value.kvlist_value.values.add(key=key)
                fill(pair.value, item)
        case str():
            value.string_value = given


def export(attributes: dict[str, Any] | None = None, **fields: Any) -> ExportTraceServiceRequest:
    """A request of one span."""
    request = ExportTraceServiceRequest()
    group = request.resource_spans.add()
    fill(group.resource.attributes.add(key="service.name").value, "support")
    scoped = group.scope_spans.add()
    scoped.scope.name, scoped.scope.version = "some.instrumentation", "1.0"
    ids = {"trace_id": bytes.fromhex(TRACE), "span_id": bytes.fromhex(SPAN)}
    sent = scoped.spans.add(**{"name": "chat gpt-4o", "start_time_unix_nano": START_NS, **ids, **fields})
    for key, value in (CHAT if attributes is None else attributes).items():
        fill(sent.attributes.add(key=key).value, value)
    return request


def log_export(body: Any = "a line", **fields: Any) -> ExportLogsServiceRequest:
    """A request of one log record."""
    request = ExportLogsServiceRequest()
    scoped = request.resource_logs.add().scope_logs.add()
    ids = {"trace_id": bytes.fromhex(TRACE), "span_id": bytes.fromhex(SPAN)}
    sent = scoped.log_records.add(**{"time_unix_nano": START_NS, **ids, **fields})
    fill(sent.body, body)
    fill(sent.attributes.add(key="code.function").value, "f" * 200)
    return request


def json_export(**changes: Any) -> dict[str, Any]:
    """The same request in the JSON mapping."""
    sent = {
        "traceId": TRACE,
        "spanId": SPAN,
        "name": "chat gpt-4o",
        "startTimeUnixNano": str(START_NS),
        "attributes": [{"key": "gen_ai.operation.name", "value": {"stringValue": "chat"}}],
        **changes,
    }
    return {"resourceSpans": [{"scopeSpans": [{"spans": [sent]}]}]}


def only_span(request: ExportTraceServiceRequest) -> SpanData:
    found = wire.spans_of_protobuf(request.SerializeToString())[0]
    assert isinstance(found, SpanData)
    return found
