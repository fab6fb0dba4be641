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
    ids: Sequence[bytes | tuple[bytes, bytes]],
    *,
    text: str = "Where is A-1?",
    resource: dict[str, str] | None = None,
) -> bytes:
    """An export of one model call per span id, or per (trace id, span id); an empty id makes a span that
    nobody can keep."""
    request: Any = ExportTraceServiceRequest()
    group = request.resource_spans.add()
    for key, value in (resource or {"service.name": "desk"}).items():
        group.resource.attributes.add(key=key).value.string_value = value
    spans = group.scope_spans.add()
    for one in ids:
        trace, own = one if isinstance(one, tuple) else (one * 2, one)
        span = spans.spans.add(
            trace_id=trace, span_id=own, name="chat gpt", start_time_unix_nano=NOW,
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


def logs(one: bytes, *events: tuple[str, dict[str, str]], service: str = "") -> bytes:
    """Log events of one span."""
    request: Any = ExportLogsServiceRequest()
    group = request.resource_logs.add()
    if service:
        group.resource.attributes.add(key="service.name").value.string_value = service
    records = group.scope_logs.add()
    for place, (name, body) in enumerate(events):
        log = records.log_records.add(
            trace_id=one * 2, span_id=one, event_name=name, time_unix_nano=NOW + place
        )
        for key, value in body.items():
            log.body.kvlist_value.values.add(key=key).value.string_value = value
    return bytes(request.SerializeToString())
