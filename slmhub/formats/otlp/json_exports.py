"""OTLP exports as JSON documents, `{resourceSpans}` or `{resourceLogs}`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from slmhub.formats.otlp import read, wire, wire_json
from slmhub.formats.records import MalformedError, Record, Reject

NAME = "otlp_json"
EXPECTED = "resourceSpans or resourceLogs"


def matches(row: Any) -> bool:
    return wire_json.has(row, wire_json.SPANS.groups) or wire_json.has(row, wire_json.LOGS.groups)


def records(row: dict[str, Any]) -> Iterator[Record | Reject]:
    """The spans, then what its log records add to them. Raises MalformedError."""
    if not matches(row):
        raise MalformedError(f"an OTLP export holds {EXPECTED}")
    if wire_json.has(row, wire_json.SPANS.groups):
        found = wire.spans_of_json(row)
        yield from _rejects(found)
        yield from read.records_of_spans(item for item in found if not isinstance(item, Reject))
    if wire_json.has(row, wire_json.LOGS.groups):
        logs = wire.logs_of_json(row)
        yield from _rejects(logs)
        yield from read.records_of_logs(item for item in logs if not isinstance(item, Reject))


def _rejects(found: Iterable[Any]) -> Iterator[Reject]:
    return (item for item in found if isinstance(item, Reject))
