"""What a task's calls look like: exemplars as short threads, and the values that its answers hold."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from apps.discovery.models import Task
from apps.traces.models import Span, SpanQuerySet
from apps.traces.selectors import CallContent, messages_of_many
from slmhub.formats import signature
from slmhub.formats.foreign_json import NotJsonError, decode
from slmhub.formats.tool_calls import tool_calls_of

TEXT_LENGTH = 1200
VALUES_FROM = 200
VALUES_SHOWN = 6
VALUE_LENGTH = 60


@dataclass(frozen=True)
class Shown:
    """One message of an exemplar: `tool` names a call, whose arguments are then the text."""

    role: str
    text: str
    tool: str = ""


@dataclass(frozen=True)
class Exemplar:
    span: Span
    messages: list[Shown]


@dataclass(frozen=True)
class Field:
    """The values of one argument over the sampled answers."""

    name: str
    kinds: int
    seen: int
    values: list[str]


def exemplars_of(task: Task) -> list[Exemplar]:
    """The calls nearest to the task's middle: the last ask, what came back from a tool, the answer."""
    spans = list(task.agent.spans.filter(pk__in=task.exemplar_ids))
    spans.sort(key=lambda span: task.exemplar_ids.index(span.pk))
    contents = messages_of_many(spans)
    return [Exemplar(span, list(_thread(contents[span.pk]))) for span in spans]


def _thread(content: CallContent) -> Iterator[Shown]:
    if ask := signature.last_ask(content.messages):
        yield Shown("user", ask[:TEXT_LENGTH])
    last = content.messages[-1] if content.messages else {}
    if last.get("role") == signature.TOOL:
        yield Shown("tool", signature.text_of(last.get("content"))[:TEXT_LENGTH])
    output = content.output or {}
    if text := signature.text_of(output.get("content")):
        yield Shown("assistant", text[:TEXT_LENGTH])
    for call in tool_calls_of(output):
        yield Shown("assistant", call.text[:TEXT_LENGTH], tool=call.name or signature.UNKNOWN)


def fields_of(calls: SpanQuerySet) -> list[Field]:
    """Arguments and values of the newest answers; empty when they are free text."""
    spans = list(calls.order_by("-started_at", "-pk")[:VALUES_FROM])
    values: dict[str, Counter[str]] = defaultdict(Counter)
    for content in messages_of_many(spans).values():
        for name, value in _values(content.output or {}):
            values[name][value] += 1
    return [_field(name, counts) for name, counts in sorted(values.items())]


def _field(name: str, counts: Counter[str]) -> Field:
    shown = [value[:VALUE_LENGTH] for value, _ in counts.most_common(VALUES_SHOWN)]
    return Field(name, kinds=len(counts), seen=counts.total(), values=shown)


def _values(output: dict[str, Any]) -> Iterator[tuple[str, str]]:
    sources: Sequence[str] = [call.arguments for call in tool_calls_of(output)]
    for source in sources or [signature.text_of(output.get("content"))]:
        for name, value in _object(source).items():
            yield name[:VALUE_LENGTH], value if isinstance(value, str) else orjson.dumps(value).decode()


def _object(text: str) -> dict[str, Any]:
    if not text.lstrip().startswith("{"):
        return {}
    try:
        value = decode(text)
    except NotJsonError:
        return {}
    return value if isinstance(value, dict) else {}
