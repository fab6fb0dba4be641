"""OTLP exports, protobuf or JSON, as plain spans and log records."""

from __future__ import annotations

from typing import Any


class EventData:
    __slots__ = ("attributes", "name", "time_ns")

    def __init__(self, name: str, time_ns: int, attributes: dict[str, Any]) -> None:
        self.name = name
        self.time_ns = time_ns
        self.attributes = attributes


class SpanData:
    """One span as it was sent; `attributes` decoded to Python values, ids lower-case hex."""

    __slots__ = (
        "attributes", "dropped", "end_ns", "events", "kind", "name", "parent_id", "resource", "scope", "span_id",
        "start_ns", "status_code", "status_message", "trace_id",
    )  # fmt: skip

    trace_id: str
    span_id: str
    parent_id: str | None
    name: str
    kind: int
    start_ns: int
    end_ns: int
    attributes: dict[str, Any]
    dropped: int
    events: list[EventData]
    status_code: int
    status_message: str
    scope: str
    resource: dict[str, Any]


class LogData:
    __slots__ = (
        "attributes",
        "body",
        "name",
        "resource",
        "scope",
        "severity",
        "span_id",
        "time_ns",
        "trace_id",
    )

    trace_id: str
    span_id: str
    time_ns: int
    name: str
    body: Any
    attributes: dict[str, Any]
    severity: int
    scope: str
    resource: dict[str, Any]
