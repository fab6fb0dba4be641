"""Hand-made OTLP exports."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import orjson
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

NOW = 1_790_000_000_000_000_000
PROTOBUF = "application/x-protobuf"


def span_id() -> bytes:
    return os.urandom(8)


def traces(
    ids: Sequence[bytes], *, text: str = "Where is A-1?", resource: dict[str, str] | None = None
) -> bytes:
    """An export of one model call per span id; an empty id makes a span that nobody can keep."""
    request: Any = ExportTraceServiceRequest()
    group = request.resource_spans.add()
    for key, value in (resource or {"service.name": "desk"}).items():
        group.resource.attributes.add(key=key).value.string_value = value
    spans = group.scope_spans.add()
    for one in ids:
        span = spans.spans.add(
            trace_id=one * 2, span_id=one, name="chat gpt", start_time_unix_nano=NOW,
            end_time_unix_nano=NOW + 10**9,
        )  # fmt: skip
        said = [{"role": "user", "parts": [{"type": "text", "content": text}]}]
        answer = [
            {"role": "assistant", "parts": [{"type": "text", "content": "Sent."}], "finish_reason": "stop"}
        ]
        for key, value in (
            ("gen_ai.operation.name", "chat"),
            ("gen_ai.request.model", "gpt"),
            ("gen_ai.input.messages", orjson.dumps(said).decode()),
            ("gen_ai.output.messages", orjson.dumps(answer).decode()),
        ):
            span.attributes.add(key=key).value.string_value = value
    return bytes(request.SerializeToString())


def traces_json(ids: Sequence[str], **resource: str) -> bytes:
    spans = [
        {
            "traceId": one * 2, "spanId": one, "name": "chat gpt", "startTimeUnixNano": str(NOW),
            "endTimeUnixNano": str(NOW + 10**9),
            "attributes": [{"key": "gen_ai.operation.name", "value": {"stringValue": "chat"}}],
        }
        for one in ids
    ]  # fmt: skip
    attributes = [{"key": key, "value": {"stringValue": value}} for key, value in resource.items()]
    group = {"resource": {"attributes": attributes}, "scopeSpans": [{"spans": spans}]}
    return orjson.dumps({"resourceSpans": [group]})


def logs(one: bytes, *events: tuple[str, dict[str, str]]) -> bytes:
    """Log events of one span."""
    request: Any = ExportLogsServiceRequest()
    records = request.resource_logs.add().scope_logs.add()
    for place, (name, body) in enumerate(events):
        log = records.log_records.add(
            trace_id=one * 2, span_id=one, event_name=name, time_unix_nano=NOW + place
        )
        for key, value in body.items():
            log.body.kvlist_value.values.add(key=key).value.string_value = value
    return bytes(request.SerializeToString())
