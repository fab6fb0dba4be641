"""Spans and log events of OTLP as records: every convention that claims a span reads it, by precedence."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import orjson

from slmhub.formats.otlp import (
    genai,
    genai_events,
    generic,
    langfuse,
    langsmith,
    openinference,
    traceloop,
    vercel,
)
from slmhub.formats.otlp.layers import (
    Surroundings,
    add_reading,
    add_surroundings,
    exception_text,
    record_of,
    surroundings_of,
)
from slmhub.formats.otlp.reading import Convention, Reading
from slmhub.formats.otlp.storable import storable
from slmhub.formats.otlp.values import Taken
from slmhub.formats.otlp.wire import EventData, LogData, SpanData
from slmhub.formats.records import Issue, MalformedError, Record, SpanKind

# The first that says something about a field is believed: what a platform's own SDK wrote before the
# semantic conventions, these before flattened attributes, then events, and bare values last.
CONVENTIONS = tuple(
    Convention(module.NAME, module.claims, module.read)
    for module in (langfuse, langsmith, genai, openinference, traceloop, vercel)
)
_EVENTS = Convention(genai_events.NAME, genai_events.claims, genai_events.read)
_GENERIC = Convention(generic.NAME, generic.claims, generic.read)
_UNREADABLE = (MalformedError, orjson.JSONEncodeError, RecursionError)
# A log record without a span of its own is named so until its span comes.
_LOGS_NAME = "log events"


def records_of_spans(spans: Iterable[SpanData]) -> Iterator[Record]:
    """One record a span, in order. No span is left out: an unknown one keeps its raw attributes."""
    resource: dict[str, Any] = {}
    around = surroundings_of(resource)
    for span in spans:
        if span.resource is not resource:
            resource, around = span.resource, surroundings_of(span.resource)
        yield _read_span(span, around)


def records_of_logs(logs: Iterable[LogData]) -> Iterator[Record]:
    """One partial record for each span that the log records belong to, in order of first appearance."""
    groups: dict[tuple[str, str], list[LogData]] = {}
    for log in logs:
        groups.setdefault((log.trace_id, log.span_id), []).append(log)
    for group in groups.values():
        yield storable(_read_logs(group))


def _read_span(span: SpanData, around: Surroundings) -> Record:
    issues: set[Issue] = set()
    readings: list[Reading] = []
    format = generic.NAME
    for convention in CONVENTIONS:
        if convention.claims(span.attributes):
            _add(readings, convention, span, issues)
            format = convention.name if format == generic.NAME else format
    if _EVENTS.claims(span.attributes) or any(genai_events.is_content(event.name) for event in span.events):
        _add(readings, _EVENTS, span, issues)
        format = _EVENTS.name if format == generic.NAME else format
    asks = any(reading.messages for reading in readings)
    answers = any(reading.output for reading in readings)
    if not (asks and answers) and _GENERIC.claims(span.attributes):
        _add(readings, _GENERIC, span, issues)
    return storable(record_of(span, format=format, around=around, readings=readings, issues=issues))


def _add(readings: list[Reading], convention: Convention, span: SpanData, issues: set[Issue]) -> None:
    try:
        readings.append(convention.read(span, issues))
    except _UNREADABLE:
        # Its attributes stay raw on the record; what other conventions read still stands.
        issues.add(Issue.TRUNCATED)


def _read_logs(logs: list[LogData]) -> Record:
    issues: set[Issue] = set()
    content: list[EventData] = []
    others: list[dict[str, Any]] = []
    attributes: dict[str, Any] = {}
    for log in logs:
        attributes.update(log.attributes)
        if genai_events.is_content(log.name):
            # The event's fields stand in the body of the log record; text alone is its content.
            body = log.body if isinstance(log.body, dict) else {"content": log.body} if log.body else {}
            content.append(EventData(log.name, log.time_ns, {**log.attributes, **body}))
            continue
        row = {"name": log.name, "time_ns": log.time_ns, "attributes": log.attributes, "body": log.body}
        if log.severity:
            row["severity"] = log.severity
        others.append(row)

    first = logs[0]
    record = Record(
        kind=SpanKind.LLM if content else SpanKind.OTHER,
        name=_LOGS_NAME,
        trace_id=first.trace_id,
        span_id=first.span_id,
        format=genai_events.NAME if content else generic.NAME,
        emitter=first.scope,
        partial=True,
    )
    taken = Taken(attributes)
    said = genai_events.said(content, issues)
    reading = genai_events.laid_over(genai.scalars_of(taken, issues), said.reading, taken)
    add_reading(record, reading)
    record.kind = reading.kind or record.kind
    record.message_times = said.times
    add_surroundings(record, attributes, surroundings_of(first.resource), taken.keys)
    for log in logs:
        if text := exception_text(log.attributes):
            record.error = text
            break
    if others:
        record.attributes["events"] = others
    if issues:
        record.attributes["issues"] = sorted(issue.value for issue in issues)
    return record
