"""OpenTelemetry's GenAI conventions up to 1.36: messages as events, of the span or of a log.

The event `gen_ai.client.inference.operation.details` of 1.37 and later, which carries the attributes of a
span, and 1.27's `gen_ai.content.prompt` and `.completion` are read here too.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from slmhub.formats.fields import text_of, tokens_of
from slmhub.formats.merge import holds_text
from slmhub.formats.otlp import genai, genai_parts
from slmhub.formats.otlp.reading import Reading
from slmhub.formats.otlp.values import HIDDEN, Taken, decoded
from slmhub.formats.otlp.wire import EventData, SpanData
from slmhub.formats.providers.names import finish_of
from slmhub.formats.records import Issue, Message

NAME = "otel_genai_events"

_ROLES = {
    "gen_ai.system.message": "system",
    "gen_ai.user.message": "user",
    "gen_ai.assistant.message": "assistant",
    "gen_ai.tool.message": "tool",
}
_CHOICE, _DETAILS = "gen_ai.choice", "gen_ai.client.inference.operation.details"
_PROMPT, _COMPLETION = "gen_ai.content.prompt", "gen_ai.content.completion"
_READ = frozenset((*_ROLES, _CHOICE, _DETAILS, _PROMPT, _COMPLETION))
_CLAIMED = ("gen_ai.system", "gen_ai.operation.name", "gen_ai.request.model", "gen_ai.response.model")


class Said(NamedTuple):
    """Messages told one by one; `times` are their clocks."""

    reading: Reading
    times: list[int]


def claims(attributes: dict[str, Any]) -> bool:
    return any(key in attributes for key in _CLAIMED)


def is_content(event: str) -> bool:
    return event in _READ


def read(span: SpanData, issues: set[Issue]) -> Reading:
    reading = said([event for event in span.events if event.name in _READ], issues).reading
    if claims(span.attributes) and not genai.claims(span.attributes):
        taken = Taken(span.attributes)
        return laid_over(genai.scalars_of(taken, issues), reading, taken)
    return reading


def laid_over(scalars: Reading, content: Reading, taken: Taken) -> Reading:
    scalars.messages, scalars.tools = content.messages, content.tools
    scalars.output = content.output
    if scalars.finish_reason is None:
        scalars.finish_reason = content.finish_reason
        scalars.finish_reason_given = content.finish_reason_given
    scalars.taken = taken.keys
    return scalars


def said(events: Iterable[EventData], issues: set[Issue]) -> Said:
    """What content events tell, in the order given; fields of a log's body stand in `attributes`."""
    reading, times = Reading(), list[int]()
    for event in events:
        if event.name == _DETAILS:
            taken = Taken(event.attributes)
            details = genai.scalars_of(taken, issues)
            genai.took_content(details, taken, issues)
            for name in ("messages", "tools", "output", "finish_reason", "finish_reason_given"):
                setattr(reading, name, getattr(details, name) or getattr(reading, name))
        elif event.name == _CHOICE:
            _add_choice(reading, event, issues)
        elif event.name in (_PROMPT, _COMPLETION):
            _add_content(reading, event, issues)
        elif role := _ROLES.get(event.name):
            reading.messages.append(_message(_fields_of(event), role, issues))
            times.append(event.time_ns)
    told = list(reading.messages)
    if reading.output is not None:
        told.append(reading.output)
    if told and not any(holds_text(message) for message in told):
        issues.add(Issue.CONTENT_OFF)
    # Messages of 1.27 come many in one event: a clock for each is known of those told one by one only.
    return Said(reading, times if len(times) == len(reading.messages) else [])


def _add_choice(reading: Reading, event: EventData, issues: set[Issue]) -> None:
    fields = _fields_of(event)
    if tokens_of(fields.get("index")) or reading.output is not None:
        issues.add(Issue.SEVERAL_CHOICES)
        if reading.output is not None:
            return
    message = decoded(fields.get("message"), issues)
    given = message if isinstance(message, dict) else {**fields, "content": message or fields.get("content")}
    reading.output = _message(given, "assistant", issues)
    reading.finish_reason_given = text_of(fields.get("finish_reason"))
    reading.finish_reason = finish_of(reading.finish_reason_given)


def _add_content(reading: Reading, event: EventData, issues: set[Issue]) -> None:
    key = "gen_ai.prompt" if event.name == _PROMPT else "gen_ai.completion"
    value = decoded(event.attributes.get(key), issues)
    if value in (None, HIDDEN):
        issues.add(Issue.CONTENT_OFF)
        return
    messages = genai_parts.messages_of(value if isinstance(value, list) else [value], issues)
    if event.name == _PROMPT:
        reading.messages += messages
    elif messages:
        reading.output = {**messages[0], "role": "assistant"}


def _fields_of(event: EventData) -> dict[str, Any]:
    # Some emitters write the body of the event as JSON into one attribute of a span event.
    inner = decoded(event.attributes.get("gen_ai.event.content"), set())
    return {**event.attributes, **inner} if isinstance(inner, dict) else event.attributes


def _message(fields: dict[str, Any], role: str, issues: set[Issue]) -> Message:
    calls = decoded(fields.get("tool_calls"), issues)
    message = genai_parts.loose_message({**fields, "tool_calls": calls}, issues, role)
    if message["content"] == HIDDEN:
        message["content"] = None
    if message["content"] is None and role == "tool":
        # An empty result is left out by emitters; one that is switched off cannot be told from it here.
        message["content"] = ""
    return message
