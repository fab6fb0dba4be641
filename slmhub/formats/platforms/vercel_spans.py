"""JavaScript spans as the Vercel AI SDK's tests and console exporters print them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from slmhub.formats.fields import excerpt_of, object_in, objects_in, text_of, texts_of
from slmhub.formats.otlp.read import records_of_spans
from slmhub.formats.otlp.wire import EventData, SpanData
from slmhub.formats.records import MalformedError, Record, Reject

NAME = "vercel_spans"
EXPECTED = "name, spanContext with traceId and spanId, attributes, startTime and endTime"

_CAPTURE_SUMMARY = {"captureDate", "results", "attributeSummary"}
_MOST_NS = 2**63 - 1


def matches(row: Any) -> bool:
    if isinstance(row, list):
        return bool(row) and _is_span(row[0])
    if not isinstance(row, dict):
        return False
    if _is_span(row) or row.keys() == _CAPTURE_SUMMARY:
        return True
    return bool(row) and all(
        isinstance(spans, list) and spans and _is_span(spans[0]) for spans in row.values()
    )


def _is_span(value: Any) -> bool:
    return isinstance(value, dict) and isinstance(value.get("spanContext"), dict) and "attributes" in value


def records(row: Any) -> Iterator[Record | Reject]:
    """The spans of one span, a list of them, or lists by operation. Raises MalformedError."""
    if isinstance(row, dict) and row.keys() == _CAPTURE_SUMMARY:
        raise MalformedError("a summary of a capture: it names attributes, but holds no spans")
    if _is_span(row):
        yield from records_of_spans([_span_of(row)])
        return
    for spans in row.values() if isinstance(row, dict) else [row]:
        for given in spans if isinstance(spans, list) else ():
            try:
                span = _span_of(given)
            except MalformedError as error:
                yield Reject(0, str(error), excerpt_of(given))
                continue
            yield from records_of_spans([span])


def _span_of(given: Any) -> SpanData:
    """Raises MalformedError."""
    if not _is_span(given):
        raise MalformedError(f"expected a span with {EXPECTED}")
    context, status = given["spanContext"], object_in(given.get("status"))
    trace_id, span_id = text_of(context.get("traceId")), text_of(context.get("spanId"))
    if trace_id is None or span_id is None:
        raise MalformedError("spanContext has no traceId or no spanId")
    parent = object_in(given.get("parentSpanContext"))
    scope = object_in(given.get("instrumentationScope") or given.get("instrumentationLibrary"))
    events = [
        EventData(
            text_of(event.get("name")) or "",
            _nanoseconds(event.get("time")),
            object_in(event.get("attributes")),
        )
        for event in objects_in(given.get("events"))
    ]
    return SpanData(
        trace_id=trace_id.lower(),
        span_id=span_id.lower(),
        parent_id=text_of(given.get("parentSpanId")) or text_of(parent.get("spanId")),
        name=text_of(given.get("name")) or "",
        kind=_whole(given.get("kind")),
        start_ns=_nanoseconds(given.get("startTime")),
        end_ns=_nanoseconds(given.get("endTime")),
        attributes=object_in(given.get("attributes")),
        dropped=_whole(given.get("droppedAttributesCount")),
        events=events,
        status_code=_whole(status.get("code")),
        status_message=text_of(status.get("message")) or "",
        scope=" ".join(texts_of([scope.get("name"), scope.get("version")])),
        resource=object_in(object_in(given.get("resource")).get("attributes")),
    )


def _nanoseconds(time: Any) -> int:
    """JavaScript's [seconds, nanoseconds]; 0 for anything else."""
    if not isinstance(time, list) or len(time) != 2:
        return 0
    seconds, rest = (_whole(part) for part in time)
    return min(seconds * 1_000_000_000 + rest, _MOST_NS)


def _whole(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0
