"""OTLP exports, protobuf or JSON, as plain spans and log records; cheap verdicts before the full reading."""

from __future__ import annotations

from base64 import b64encode
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import isfinite
from typing import Any, NamedTuple

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from slmhub.formats.foreign_json import NotJsonError, decode
from slmhub.formats.otlp import wire_json
from slmhub.formats.otlp.wire_json import LINKS, TRACE_STATE, with_scope
from slmhub.formats.records import MalformedError, Reject

TRACE_BYTES, SPAN_BYTES = 16, 8
_EXCERPT = 200
_MOST_REASONS = 5
_NO_IDS = frozenset((bytes(TRACE_BYTES), bytes(SPAN_BYTES)))


class WireError(MalformedError):
    """The body is no export of the kind that the address takes; the message says what it is."""


class EventData(NamedTuple):
    name: str
    time_ns: int
    attributes: dict[str, Any]


@dataclass(slots=True)
class SpanData:
    """One span as it was sent; attribute values are JSON values, ids lower-case hex.

    `scope` is "name version". Spans of one resource share its dict. Clocks are ns since 1970, 0 for none.
    """

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


@dataclass(slots=True)
class LogData:
    """One log record; `name` is the name of the event, from its field or the attribute event.name."""

    trace_id: str
    span_id: str
    time_ns: int
    name: str
    body: Any
    attributes: dict[str, Any]
    severity: int
    scope: str
    resource: dict[str, Any]


@dataclass(frozen=True)
class Checked:
    """How many spans or log records would be read; `reasons` says of the others why not."""

    accepted: int
    rejected: int
    reasons: list[str]


def spans_of_protobuf(body: bytes) -> list[SpanData | Reject]:
    """Raises WireError when the body is no ExportTraceServiceRequest."""
    found: list[SpanData | Reject] = []
    for group in _traces(body).resource_spans:
        resource = _attributes(group.resource.attributes)
        for scoped in group.scope_spans:
            scope = scope_of(scoped.scope.name, scoped.scope.version)
            # Not a copy where the scope says nothing: spans of one resource share its dict.
            place = with_scope(resource, _attributes(scoped.scope.attributes))
            for span in scoped.spans:
                flaw = _flaw(span.trace_id, span.span_id)
                found.append(_rejected(flaw, span.name) if flaw else _span(span, scope, place))
    return found


def logs_of_protobuf(body: bytes) -> list[LogData | Reject]:
    """Raises WireError when the body is no ExportLogsServiceRequest."""
    found: list[LogData | Reject] = []
    for group in _logs(body).resource_logs:
        resource = _attributes(group.resource.attributes)
        for scoped in group.scope_logs:
            scope = scope_of(scoped.scope.name, scoped.scope.version)
            for log in scoped.log_records:
                flaw = _flaw(log.trace_id, log.span_id)
                found.append(_rejected(flaw, log.event_name) if flaw else _log(log, scope, resource))
    return found


def spans_of_json(document: Any) -> list[SpanData | Reject]:
    """Raises WireError when the document holds no list of resourceSpans."""
    return [
        _rejected(flaw, wire_json.name_of(span)) if flaw else _span_of_json(span, *place)
        for place, span, flaw in _json_spans(document)
    ]


def logs_of_json(document: Any) -> list[LogData | Reject]:
    """Raises WireError when the document holds no list of resourceLogs."""
    return [
        _rejected(flaw, wire_json.name_of(log)) if flaw else _log_of_json(log, *place)
        for place, log, flaw in _json_logs(document)
    ]


def check_traces(body: bytes, json: bool) -> Checked:
    """What `spans_of_…` would accept of the body, without reading attributes. Raises WireError."""
    if json:
        return _checked((flaw for _, _, flaw in _json_spans(_document(body))), "span")
    return _checked((_flaw(span.trace_id, span.span_id) for span in _spans(_traces(body))), "span")


def check_logs(body: bytes, json: bool) -> Checked:
    """What `logs_of_…` would accept of the body, without reading bodies. Raises WireError."""
    if json:
        return _checked((flaw for _, _, flaw in _json_logs(_document(body))), "log record")
    return _checked((_flaw(log.trace_id, log.span_id) for log in _log_records(_logs(body))), "log record")


def scope_of(name: str, version: str) -> str:
    return f"{name} {version}".strip()


def _checked(flaws: Iterable[str], what: str) -> Checked:
    counts = Counter(flaws)
    accepted = counts.pop("", 0)
    reasons = [
        f"{count} {what}{'' if count == 1 else 's'}: {flaw}"
        for flaw, count in counts.most_common(_MOST_REASONS)
    ]
    return Checked(accepted, counts.total(), reasons)


def _rejected(flaw: str, name: str) -> Reject:
    return Reject(0, flaw, name[:_EXCERPT])


def _flaw(trace_id: bytes, span_id: bytes) -> str:
    """Why a span of these ids cannot be kept, "" when it can."""
    if len(trace_id) == TRACE_BYTES and len(span_id) == SPAN_BYTES:
        if trace_id in _NO_IDS:
            return "the trace id is all zeros"
        return "the span id is all zeros" if span_id in _NO_IDS else ""
    if not trace_id:
        return "no readable trace id"
    if len(trace_id) != TRACE_BYTES:
        return f"the trace id has {len(trace_id)} bytes, expected {TRACE_BYTES}"
    if not span_id:
        return "no readable span id"
    return f"the span id has {len(span_id)} bytes, expected {SPAN_BYTES}"


def _document(body: bytes) -> Any:
    try:
        return decode(body)
    except NotJsonError as error:
        raise WireError(f"the body {error}") from error


# Protobuf. The messages are untyped: the generated modules create their classes at run time.


def _traces(body: bytes) -> Any:
    try:
        request = ExportTraceServiceRequest.FromString(body)
    except DecodeError as error:
        raise WireError(_WRONG_ADDRESS_FOR_LOGS if _holds_logs(body) else _NO_TRACES) from error
    flaws = (_flaw(span.trace_id, span.span_id) for span in _spans(request))
    # Exports of logs decode as spans with nonsense for ids, for the two share their field numbers.
    if next(_spans(request), None) is not None and all(flaws) and _holds_logs(body):
        raise WireError(_WRONG_ADDRESS_FOR_LOGS)
    return request


def _logs(body: bytes) -> Any:
    try:
        request = ExportLogsServiceRequest.FromString(body)
    except DecodeError as error:
        raise WireError(_WRONG_ADDRESS_FOR_TRACES if _holds_spans(body) else _NO_LOGS) from error
    flaws = (_flaw(log.trace_id, log.span_id) for log in _log_records(request))
    if next(_log_records(request), None) is not None and all(flaws) and _holds_spans(body):
        raise WireError(_WRONG_ADDRESS_FOR_TRACES)
    return request


_NO_TRACES = "the body is no ExportTraceServiceRequest in protobuf"
_NO_LOGS = "the body is no ExportLogsServiceRequest in protobuf"
_WRONG_ADDRESS_FOR_LOGS = "these are log records (ResourceLogs), no spans: send them to /v1/logs"
_WRONG_ADDRESS_FOR_TRACES = "these are spans (ResourceSpans), no log records: send them to /v1/traces"


def _holds_logs(body: bytes) -> bool:
    try:
        request = ExportLogsServiceRequest.FromString(body)
    except DecodeError:
        return False
    return any(log.time_unix_nano or log.observed_time_unix_nano for log in _log_records(request))


def _holds_spans(body: bytes) -> bool:
    try:
        request = ExportTraceServiceRequest.FromString(body)
    except DecodeError:
        return False
    return any(not _flaw(span.trace_id, span.span_id) for span in _spans(request))


def _spans(request: Any) -> Iterator[Any]:
    for group in request.resource_spans:
        for scoped in group.scope_spans:
            yield from scoped.spans


def _log_records(request: Any) -> Iterator[Any]:
    for group in request.resource_logs:
        for scoped in group.scope_logs:
            yield from scoped.log_records


def _span(span: Any, scope: str, resource: dict[str, Any]) -> SpanData:
    return SpanData(
        trace_id=span.trace_id.hex(),
        span_id=span.span_id.hex(),
        parent_id=span.parent_span_id.hex() if _is_id(span.parent_span_id) else None,
        name=span.name,
        kind=span.kind,
        start_ns=span.start_time_unix_nano,
        end_ns=span.end_time_unix_nano,
        attributes={**_attributes(span.attributes), **_ties(span)},
        dropped=span.dropped_attributes_count,
        events=[
            EventData(event.name, event.time_unix_nano, _attributes(event.attributes))
            for event in span.events
        ],
        status_code=span.status.code,
        status_message=span.status.message,
        scope=scope,
        resource=resource,
    )  # fmt: skip


def _ties(span: Any) -> dict[str, Any]:
    """What ties a span to others besides its parent; no convention reads it, so it stays a raw attribute."""
    if not span.links and not span.trace_state:
        return {}
    links = [
        {"trace_id": link.trace_id.hex(), "span_id": link.span_id.hex(), **_attributes(link.attributes)}
        for link in span.links
    ]
    return {LINKS: links, TRACE_STATE: span.trace_state}


def _log(log: Any, scope: str, resource: dict[str, Any]) -> LogData:
    attributes = _attributes(log.attributes)
    return LogData(
        trace_id=log.trace_id.hex(),
        span_id=log.span_id.hex(),
        time_ns=log.time_unix_nano or log.observed_time_unix_nano,
        name=log.event_name or str(attributes.get("event.name", "")),
        body=_value(log.body),
        attributes=attributes,
        severity=log.severity_number,
        scope=scope,
        resource=resource,
    )


def _is_id(span_id: bytes) -> bool:
    return len(span_id) == SPAN_BYTES and span_id not in _NO_IDS


def _attributes(pairs: Iterable[Any]) -> dict[str, Any]:
    attributes: dict[str, Any] = {}
    for pair in pairs:
        value = pair.value
        # The hot loop: nearly all values are texts, and asking for one first spares a look-up.
        attributes[pair.key] = value.string_value or _value(value)
    return attributes


def _value(value: Any) -> Any:
    # Depth is bounded: the decoder takes no message nested deeper than 100 levels.
    match value.WhichOneof("value"):
        case "string_value":
            return value.string_value
        case "int_value":
            return value.int_value
        case "double_value":
            number = value.double_value
            return number if isfinite(number) else str(number)
        case "bool_value":
            return value.bool_value
        case "array_value":
            return [item.string_value or _value(item) for item in value.array_value.values]
        case "kvlist_value":
            return _attributes(value.kvlist_value.values)
        case "bytes_value":
            return b64encode(value.bytes_value).decode()
    return None


# JSON


class _Place(NamedTuple):
    scope: str
    resource: dict[str, Any]


def _json_spans(document: Any) -> Iterator[tuple[_Place, Any, str]]:
    return _json_items(document, wire_json.SPANS, wire_json.LOGS, _WRONG_ADDRESS_FOR_LOGS)


def _json_logs(document: Any) -> Iterator[tuple[_Place, Any, str]]:
    return _json_items(document, wire_json.LOGS, wire_json.SPANS, _WRONG_ADDRESS_FOR_TRACES)


def _json_items(
    document: Any, wanted: wire_json.Keys, other: wire_json.Keys, wrong_address: str
) -> Iterator[tuple[_Place, Any, str]]:
    if not isinstance(document, dict):
        raise WireError("the body is no JSON object")
    if not wire_json.has(document, wanted.groups) and wire_json.has(document, other.groups):
        raise WireError(wrong_address)
    groups = wire_json.field(document, wanted.groups)
    if groups is not None and not isinstance(groups, list):
        raise WireError(f"{wanted.groups[0]} must be a list")
    for resource, scope, item in wire_json.items_of(groups or [], wanted):
        yield _Place(scope, resource), item, _flaw(*wire_json.ids_of(item))


def _span_of_json(span: dict[str, Any], scope: str, resource: dict[str, Any]) -> SpanData:
    trace_id, span_id = wire_json.ids_of(span)
    parent = wire_json.id_of(wire_json.field(span, ("parentSpanId", "parent_span_id")))
    status = wire_json.object_of(span, "status")
    events = [
        EventData(
            wire_json.text_of(event, "name"),
            wire_json.integer_of(event, "timeUnixNano", "time_unix_nano"),
            wire_json.attributes_of(event.get("attributes")),
        )
        for event in wire_json.objects_of(span, "events")
    ]
    return SpanData(
        trace_id=trace_id.hex(),
        span_id=span_id.hex(),
        parent_id=parent.hex() if _is_id(parent) else None,
        name=wire_json.text_of(span, "name"),
        kind=wire_json.integer_of(span, "kind"),
        start_ns=wire_json.integer_of(span, "startTimeUnixNano", "start_time_unix_nano"),
        end_ns=wire_json.integer_of(span, "endTimeUnixNano", "end_time_unix_nano"),
        attributes={**wire_json.attributes_of(span.get("attributes")), **wire_json.ties_of(span)},
        dropped=wire_json.integer_of(span, "droppedAttributesCount", "dropped_attributes_count"),
        events=events,
        status_code=wire_json.integer_of(status, "code"),
        status_message=wire_json.text_of(status, "message"),
        scope=scope,
        resource=resource,
    )


def _log_of_json(log: dict[str, Any], scope: str, resource: dict[str, Any]) -> LogData:
    trace_id, span_id = wire_json.ids_of(log)
    attributes = wire_json.attributes_of(log.get("attributes"))
    time_ns = wire_json.integer_of(log, "timeUnixNano", "time_unix_nano")
    observed_ns = wire_json.integer_of(log, "observedTimeUnixNano", "observed_time_unix_nano")
    name = wire_json.text_of(log, "eventName", "event_name") or str(attributes.get("event.name", ""))
    return LogData(
        trace_id=trace_id.hex(),
        span_id=span_id.hex(),
        time_ns=time_ns or observed_ns,
        name=name,
        body=wire_json.value_of(log.get("body")),
        attributes=attributes,
        severity=wire_json.integer_of(log, "severityNumber", "severity_number"),
        scope=scope,
        resource=resource,
    )
