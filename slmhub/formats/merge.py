"""Puts together the parts of one span: log events, create and update, post and patch, batch input and output.

The rule, field by field, whatever the order of arrival: what is absent is filled; of two values that differ
the one with the later `revised_at` stands; between a span and mere parts of it the span's own stands; else
the first. A repeated part changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

import msgspec

from slmhub.formats.records import Issue, Message, Record, Reject, SpanKind, Usage

MOST_HELD = 20_000

_FILLED = (
    "name", "parent_id", "session", "user", "agent", "environment", "started_at", "ended_at", "latency_ms",
    "ttft_ms", "provider", "model", "tools", "output", "cost", "finish_reason", "error", "emitter",
)  # fmt: skip

Key = tuple[str, str]
Value = TypeVar("Value")


def key_of(record: Record) -> Key:
    return record.trace_id, record.span_id


def merged(held: Record, part: Record) -> Record:
    """The span that two parts of it make; equal to `held` when `part` says nothing new."""
    wins = outranks(held, part)
    whole = msgspec.structs.replace(held, **{name: _of(held, part, name, wins) for name in _FILLED})
    whole.kind = chosen(_known(held.kind), _known(part.kind), wins) or SpanKind.OTHER
    whole.format = part.format if held.partial and not part.partial else held.format
    whole.usage = _usage(held.usage, part.usage, wins)
    whole.messages, whole.message_times = _messages(held, part, wins)
    whole.parameters = united(held.parameters, part.parameters, wins)
    whole.attributes = _attributes(held.attributes, part.attributes, wins)
    whole.tags = list(dict.fromkeys([*held.tags, *part.tags]))
    whole.dropped = max(held.dropped, part.dropped)
    whole.partial = held.partial and part.partial
    whole.revised_at = max((at for at in (held.revised_at, part.revised_at) if at), default=None)
    return _timed(whole)


def outranks(held: Record, part: Record) -> bool:
    """Whether the values of `part` replace differing ones of `held`."""
    if held.partial != part.partial:
        return held.partial
    return part.revised_at is not None and (held.revised_at is None or part.revised_at > held.revised_at)


def chosen(held: Value, given: Value, wins: bool) -> Value:
    """The given value when it stands and wins, or nothing else is there."""
    return given if given not in (None, "", [], {}) and (wins or held in (None, "", [], {})) else held


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
        held[key] = merged(held[key], item) if key in held else item
        if len(held) > most:
            yield held.pop(next(iter(held)))
    yield from held.values()


def demote_wrappers(records: Iterable[Record]) -> None:
    """Makes chains of the model spans that have a model span below them: only leaves are calls."""
    spans = {key_of(record): record for record in records}
    for record in spans.values():
        if record.kind is SpanKind.LLM:
            _demote_above(record, spans)


def _demote_above(record: Record, spans: dict[Key, Record]) -> None:
    seen: set[Key] = set()
    parent = spans.get((record.trace_id, record.parent_id or ""))
    while parent is not None and key_of(parent) not in seen:
        seen.add(key_of(parent))
        if parent.kind is SpanKind.LLM and parent is not record:
            parent.kind = SpanKind.CHAIN
            add_issue(parent, Issue.WRAPS_MODEL_CALL)
        parent = spans.get((parent.trace_id, parent.parent_id or ""))


def add_issue(record: Record, issue: Issue) -> None:
    record.attributes["issues"] = sorted({*record.attributes.get("issues", ()), issue.value})


def _of(held: Record, part: Record, name: str, wins: bool) -> Any:
    return chosen(getattr(held, name), getattr(part, name), wins)


def _known(kind: SpanKind) -> SpanKind | None:
    return None if kind is SpanKind.OTHER else kind


def _usage(held: Usage, given: Usage, wins: bool) -> Usage:
    return Usage(
        **{name: chosen(getattr(held, name), getattr(given, name), wins) for name in Usage.__struct_fields__}
    )


def _messages(held: Record, part: Record, wins: bool) -> tuple[list[Message], list[int]]:
    if held.message_times and part.message_times:
        both = interleaved(
            list(zip(held.message_times, held.messages, strict=False)),
            list(zip(part.message_times, part.messages, strict=False)),
        )
        return [message for _, message in both], [time for time, _ in both]
    taken = chosen(held.messages, part.messages, wins)
    return taken, part.message_times if taken is part.messages else held.message_times


def _attributes(held: dict[str, Any], given: dict[str, Any], wins: bool) -> dict[str, Any]:
    attributes = united(held, given, wins)
    issues = sorted({*held.get("issues", ()), *given.get("issues", ())})
    return {**attributes, "issues": issues} if issues else attributes


def _timed(record: Record) -> Record:
    if record.latency_ms is None and record.started_at and record.ended_at:
        record.latency_ms = max(0.0, (record.ended_at - record.started_at).total_seconds() * 1000)
    return record
