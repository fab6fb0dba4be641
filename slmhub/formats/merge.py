"""Puts together the parts of one span: log events, create and update, post and patch, batch input and output.

The rule, field by field, whatever the order of arrival: what is absent is filled; of two values that differ
the one with the later `revised_at` stands; between a span and mere parts of it the span's own stands; else
the first. A repeated part changes nothing.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

import msgspec

from slmhub.formats.fields import EMPTY
from slmhub.formats.records import Issue, Message, Record, Reject, SpanKind, Usage

MOST_HELD = 20_000
# Of one span; the earliest stay.
MOST_EVENTS = 1_000

_FILLED = (
    "name", "parent_id", "session", "user", "agent", "environment", "started_at", "ended_at", "latency_ms",
    "ttft_ms", "provider", "model", "tools", "output", "cost", "finish_reason", "error", "emitter",
)  # fmt: skip

_CALLS = (SpanKind.LLM, SpanKind.EMBEDDING)
# Attributes that arrive entry by entry.
_UNITED = ("metadata", "scores")

Key = tuple[str, str]
Value = TypeVar("Value")


def key_of(record: Record) -> Key:
    return record.trace_id, record.span_id


def merged(held: Record, part: Record) -> Record:
    """The span that two parts of it make; equal to `held` when `part` says nothing new."""
    wins = outranks(held, part)
    filled = {name: chosen(getattr(held, name), getattr(part, name), wins) for name in _FILLED}
    whole = msgspec.structs.replace(held, **filled)
    whole.kind = chosen(_known(held.kind), _known(part.kind), wins) or SpanKind.OTHER
    whole.format = part.format if held.partial and not part.partial else held.format
    counts = {
        name: chosen(getattr(held.usage, name), getattr(part.usage, name), wins)
        for name in Usage.__struct_fields__
    }
    whole.usage = Usage(**counts)
    whole.messages, whole.message_times = _messages(held, part, wins)
    whole.parameters = united(held.parameters, part.parameters, wins)
    whole.attributes = _attributes(held, part, wins)
    whole.tags = _tags(held.tags, part.tags)
    whole.dropped = max(held.dropped, part.dropped)
    whole.partial = held.partial and part.partial
    whole.revised_at = max((at for at in (held.revised_at, part.revised_at) if at), default=None)
    times = (whole.started_at, whole.ended_at)
    if part.latency_ms is None and all(times) and times != (held.started_at, held.ended_at):
        # The latency that one part knew was that of other times.
        whole.latency_ms = None
    return _timed(whole)


def outranks(held: Record, part: Record) -> bool:
    """Whether the values of `part` replace differing ones of `held`."""
    if held.revised_at and part.revised_at and held.revised_at != part.revised_at:
        return part.revised_at > held.revised_at
    if held.partial != part.partial:
        return held.partial
    return part.revised_at is not None and held.revised_at is None


def chosen(held: Value, given: Value, wins: bool) -> Value:
    """The given value when it stands and wins, or nothing else is there."""
    return given if given not in EMPTY and (wins or held in EMPTY) else held


def united(held: dict[str, Any], given: dict[str, Any], wins: bool) -> dict[str, Any]:
    return {**held, **given} if wins else {**given, **held}


def interleaved(held: list[tuple[int, Value]], given: list[tuple[int, Value]]) -> list[tuple[int, Value]]:
    """Messages of both in the order of their times; one that both hold stands once."""
    fresh = [entry for entry in given if entry not in held]
    return sorted([*held, *fresh], key=lambda entry: entry[0])


def joined(records: Iterable[Record | Reject], *, most: int = MOST_HELD) -> Iterator[Record | Reject]:
    """The same records with parts put together, in order of first appearance, in bounded memory.

    At most `most` records wait for their other parts; the oldest leaves first.
    """
    held: dict[Key, Record] = {}
    for item in records:
        if isinstance(item, Reject):
            yield item
            continue
        key = key_of(item)
        held[key] = merged(held[key], item) if key in held else _timed(item)
        if len(held) > most:
            yield held.pop(next(iter(held)))
    yield from held.values()


def withdraw_usage(record: Record) -> None:
    """Keeps what a span around model calls reports, but where nobody adds it to the usage of those calls."""
    counts = msgspec.structs.asdict(record.usage)
    reported = {name: count for name, count in counts.items() if count is not None}
    if reported:
        record.attributes["usage_reported"] = reported
    if record.cost is not None:
        record.attributes["cost_reported"] = record.cost
    record.usage, record.cost = Usage(), None


def demote_wrappers(records: Iterable[Record]) -> None:
    """Makes chains of the model spans that have one of their kind below them: only leaves are calls.

    Of spans that are each other's parents none is demoted.
    """
    spans = {key_of(record): record for record in records}
    calls = {key: record.kind for key, record in spans.items() if record.kind in _CALLS}
    circling = _circling(spans) if calls else set()
    passed: set[tuple[Key, SpanKind]] = set()
    for key, kind in calls.items():
        above = None if key in circling else _parent_key(spans[key])
        # Above a span that was passed before, all were.
        while above in spans and (above, kind) not in passed:
            passed.add((above, kind))
            wrapper = spans[above]
            if calls.get(above) is kind and wrapper.kind is not SpanKind.CHAIN:
                wrapper.kind = SpanKind.CHAIN
                withdraw_usage(wrapper)
                add_issue(wrapper, Issue.WRAPS_MODEL_CALL)
            above = _parent_key(wrapper)


def hand_down_sessions(records: Iterable[Record]) -> None:
    """Spans that name no session get that of their trace: its root's, else its earliest span's."""

    def rank(record: Record) -> tuple[bool, float, str]:
        started = record.started_at.timestamp() if record.started_at else math.inf
        return bool(record.parent_id), started, record.span_id

    traces: dict[str, list[Record]] = defaultdict(list)
    for record in records:
        traces[record.trace_id].append(record)
    for trace in traces.values():
        first = min((record for record in trace if record.session), key=rank, default=None)
        for record in trace:
            if first is not None and not record.session:
                record.session = first.session


def _parent_key(record: Record) -> Key:
    return record.trace_id, record.parent_id or ""


def _circling(spans: dict[Key, Record]) -> set[Key]:
    """The spans that are above themselves; every span is walked over once."""
    circling: set[Key] = set()
    seen: set[Key] = set()
    for start in spans:
        path: list[Key] = []
        key = start
        while key in spans and key not in seen:
            seen.add(key)
            path.append(key)
            key = _parent_key(spans[key])
        if key in path:
            circling.update(path[path.index(key) :])
    return circling


def add_issue(record: Record, issue: Issue) -> None:
    record.attributes["issues"] = sorted({*record.attributes.get("issues", ()), issue.value})


def holds_text(message: Message) -> bool:
    """Whether a message says anything: some emitters send messages without their content."""
    calls = message.get("tool_calls") or ()
    asks = any(call.get("function", {}).get("arguments") not in (None, "", "{}") for call in calls)
    return message.get("content") not in (None, "", []) or asks


def _known(kind: SpanKind) -> SpanKind | None:
    return None if kind is SpanKind.OTHER else kind


def _messages(held: Record, part: Record, wins: bool) -> tuple[list[Message], list[int]]:
    if held.message_times and part.message_times:
        both = interleaved(
            list(zip(held.message_times, held.messages, strict=False)),
            list(zip(part.message_times, part.messages, strict=False)),
        )
        return [message for _, message in both], [time for time, _ in both]
    taken = chosen(held.messages, part.messages, wins)
    return taken, part.message_times if taken is part.messages else held.message_times


def _tags(held: list[str], given: list[str]) -> list[str]:
    if held == given or not given:
        return held
    return sorted({*held, *given}) if held else given


def _attributes(held: Record, part: Record, wins: bool) -> dict[str, Any]:
    attributes = united(held.attributes, part.attributes, wins)
    for key in _UNITED:
        known, given = held.attributes.get(key), part.attributes.get(key)
        if isinstance(known, dict) and isinstance(given, dict):
            attributes[key] = united(known, given, wins)
    events = _events(held.attributes.get("events"), part.attributes.get("events"))
    if events:
        attributes["events"] = events
    issues = {*held.attributes.get("issues", ()), *part.attributes.get("issues", ())}
    if not _hides_content(held, part):
        issues.discard(Issue.CONTENT_OFF.value)
    attributes.pop("issues", None)
    return {**attributes, "issues": sorted(issues)} if issues else attributes


def _events(held: Any, given: Any) -> list[Any]:
    if not isinstance(held, list) or not isinstance(given, list):
        return []

    def time_of(event: Any) -> tuple[int, str]:
        time_ns = event.get("time_ns") if isinstance(event, dict) else 0
        return (time_ns if isinstance(time_ns, int) else 0), repr(event)

    fresh = [event for event in given if event not in held]
    # Whoever sends parts without end must not make each of them dearer than the one before.
    return sorted([*held, *fresh], key=time_of)[:MOST_EVENTS]


def _hides_content(held: Record, part: Record) -> bool:
    """A span that merely holds no content hides none, when its log events bring it."""
    telling = [
        side
        for side in (held, part)
        if any(holds_text(message) for message in (*side.messages, side.output or {}))
    ]
    sides = telling or [held, part]
    return any(Issue.CONTENT_OFF.value in side.attributes.get("issues", ()) for side in sides)


def _timed(record: Record) -> Record:
    if record.latency_ms is None and record.started_at and record.ended_at:
        record.latency_ms = max(0.0, (record.ended_at - record.started_at).total_seconds() * 1000)
    return record
