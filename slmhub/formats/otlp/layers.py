"""Makes one record of a span and of what the conventions read of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from slmhub.formats.fields import first_text, outcome_of, text_of
from slmhub.formats.merge import withdraw_usage
from slmhub.formats.otlp import genai, genai_events
from slmhub.formats.otlp.reading import Reading
from slmhub.formats.otlp.wire import EventData, SpanData
from slmhub.formats.records import Issue, Record, SpanKind, Usage

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_CLOCKS = range(946_684_800 * 10**9, 4_102_444_800 * 10**9)
_MOST_EVENTS = 200
_ERROR, _OK = 2, 1
_CALLS = frozenset((SpanKind.LLM, SpanKind.EMBEDDING))
# A statement that some other convention may make more precise.
_VAGUE = frozenset((SpanKind.CHAIN, SpanKind.OTHER))
_SESSION, _USER = ("session.id", "gen_ai.conversation.id"), ("user.id", "enduser.id")
_ENVIRONMENT = ("deployment.environment.name", "deployment.environment")
_SDK = ("telemetry.sdk.name", "telemetry.sdk.version", "telemetry.sdk.language")
# Keys of a record's attributes that no emitter may fill with something else.
_OURS = frozenset((
    "issues", "events", "events_left_out", "resource", "metadata", "usage_reported", "cost_reported",
    "clock_ns", "response_id", "streamed", "outcome", "finish_reason_given",
))  # fmt: skip
_ONCE = (
    "name", "session", "user", "agent", "environment", "provider", "model", "messages", "tools", "output",
    "cost", "ttft_ms", "finish_reason", "error", "response_id",
)  # fmt: skip
_TOKENS = Usage.__struct_fields__


class Surroundings(NamedTuple):
    """What the resource of a span says of all its spans."""

    session: str | None
    user: str | None
    environment: str | None
    emitter: str
    rest: dict[str, Any]


def surroundings_of(resource: dict[str, Any]) -> Surroundings:
    taken = {*_SESSION, *_USER, *_ENVIRONMENT, *_SDK}
    return Surroundings(
        session=first_text((resource,), _SESSION),
        user=first_text((resource,), _USER),
        environment=first_text((resource,), _ENVIRONMENT),
        emitter=" ".join(str(resource[key]) for key in _SDK[:2] if key in resource),
        rest={key: value for key, value in resource.items() if key not in taken},
    )


def folded(readings: list[Reading]) -> Reading:
    """One reading: of each field what the first says that says anything."""
    whole = readings[0] if readings else Reading()
    for other in readings[1:]:
        if whole.finish_reason is None:
            whole.finish_reason_given = other.finish_reason_given
        for name in _ONCE:
            if not getattr(whole, name):
                setattr(whole, name, getattr(other, name))
        for name in _TOKENS:
            if getattr(whole.usage, name) is None:
                setattr(whole.usage, name, getattr(other.usage, name))
        whole.parameters = {**other.parameters, **whole.parameters}
        whole.metadata = {**other.metadata, **whole.metadata}
        whole.attributes = {**other.attributes, **whole.attributes}
        whole.tags = list(dict.fromkeys([*whole.tags, *other.tags]))
        whole.streamed = whole.streamed or other.streamed
        whole.taken |= other.taken
    return whole


def kind_in(attributes: dict[str, Any], readings: list[Reading]) -> SpanKind:
    """The operation's name decides; then the first precise statement; then the first."""
    if found := genai.kind_of(attributes):
        return found
    stated = [reading.kind for reading in readings if reading.kind]
    for kind in stated:
        if kind not in _VAGUE:
            return kind
    return stated[0] if stated else SpanKind.OTHER


def record_of(
    span: SpanData, *, format: str, around: Surroundings, readings: list[Reading], issues: set[Issue]
) -> Record:
    kind = kind_in(span.attributes, readings)
    reading = folded(readings)
    record = Record(
        kind=kind,
        name=reading.name or span.name or "span",
        trace_id=span.trace_id,
        span_id=span.span_id,
        parent_id=span.parent_id,
        format=format,
        emitter=span.scope or around.emitter,
        dropped=span.dropped,
        error=reading.error or error_of(span),
    )
    add_reading(record, reading)
    add_surroundings(record, span.attributes, around, reading.taken)
    _add_times(record, span, issues)

    # What no convention understood stays, under a name that does not hide what this product says itself.
    for key, value in span.attributes.items():
        if key not in reading.taken:
            record.attributes[f"span.{key}" if key in _OURS else key] = value
    events = [event_row(event) for event in span.events if not genai_events.is_content(event.name)]
    if events:
        record.attributes["events"] = events[:_MOST_EVENTS]
    if len(events) > _MOST_EVENTS:
        record.attributes["events_left_out"] = len(events) - _MOST_EVENTS

    if span.dropped:
        issues.add(Issue.ATTRIBUTES_DROPPED)
    elif kind is SpanKind.LLM and record.usage.input and not record.messages and record.output is None:
        # Tokens were counted, so something was asked: the emitter's settings keep content out.
        issues.add(Issue.CONTENT_OFF)
    if kind not in _CALLS:
        withdraw_usage(record)
    if issues:
        record.attributes["issues"] = sorted(issue.value for issue in issues)
    return record


def _add_times(record: Record, span: SpanData, issues: set[Issue]) -> None:
    record.started_at = _instant(span.start_ns)
    record.ended_at = _instant(span.end_ns) if span.end_ns else None
    if record.started_at is None or (span.end_ns and record.ended_at is None):
        issues.add(Issue.TIMESTAMP_UNUSABLE)
        record.attributes["clock_ns"] = [span.start_ns, span.end_ns]
    elif record.ended_at and span.end_ns < span.start_ns:
        issues.add(Issue.CLOCK_SKEW)
        record.attributes["clock_ns"] = [span.start_ns, span.end_ns]
        record.ended_at = None
    elif record.ended_at:
        record.latency_ms = (span.end_ns - span.start_ns) / 1e6


def _instant(clock_ns: int) -> datetime | None:
    return _EPOCH + timedelta(microseconds=clock_ns // 1000) if clock_ns in _CLOCKS else None


def add_reading(record: Record, reading: Reading) -> None:
    record.session, record.user, record.agent = reading.session, reading.user, reading.agent
    record.environment, record.provider, record.model = reading.environment, reading.provider, reading.model
    record.parameters, record.messages = reading.parameters, reading.messages
    record.tools, record.output, record.usage = reading.tools, reading.output, reading.usage
    record.cost, record.ttft_ms, record.tags = reading.cost, reading.ttft_ms, reading.tags
    record.finish_reason = reading.finish_reason
    record.attributes |= reading.attributes
    for name, value in (
        ("metadata", reading.metadata),
        ("response_id", reading.response_id),
        ("streamed", reading.streamed),
        ("outcome", outcome_of(reading.metadata)),
    ):
        if value:
            record.attributes[name] = value
    if reading.finish_reason_given and reading.finish_reason_given != reading.finish_reason:
        record.attributes["finish_reason_given"] = reading.finish_reason_given


def add_surroundings(record: Record, given: dict[str, Any], around: Surroundings, taken: set[str]) -> None:
    """Session, user and environment under the names that all share, of the span or its resource."""
    record.session = _found(record.session, given, _SESSION, taken) or around.session
    record.user = _found(record.user, given, _USER, taken) or around.user
    record.environment = _found(record.environment, given, _ENVIRONMENT, taken) or around.environment
    if around.rest:
        record.attributes["resource"] = around.rest


def _found(known: str | None, given: dict[str, Any], keys: tuple[str, ...], taken: set[str]) -> str | None:
    for key in keys:
        text = text_of(given.get(key))
        known = known or text
        if text is not None and text == known:
            taken.add(key)
    return known


def error_of(span: SpanData) -> str | None:
    """The status, said in the words of the exception where there is one."""
    if span.status_code == _OK:
        return None
    exception = next((event for event in span.events if event.name == "exception"), None)
    error_type = text_of(span.attributes.get("error.type"))
    if span.status_code != _ERROR and exception is None:
        return error_type
    said = exception_text(exception.attributes) if exception else ""
    return span.status_message or said or error_type or "error"


def exception_text(attributes: dict[str, Any]) -> str:
    pieces = (text_of(attributes.get(f"exception.{name}")) for name in ("type", "message"))
    return ": ".join(piece for piece in pieces if piece)


def event_row(event: EventData) -> dict[str, Any]:
    return {"name": event.name, "time_ns": event.time_ns, "attributes": event.attributes}
