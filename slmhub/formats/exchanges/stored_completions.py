"""Completions and responses that OpenAI stored: single objects, or pages of a list of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from slmhub.formats.exchanges.envelope import Call, record_of
from slmhub.formats.fields import Json, excerpt_of, objects_in, text_of
from slmhub.formats.providers import Asked, answer_of, openai_chat, openai_completions, openai_responses
from slmhub.formats.records import Issue, MalformedError, Record, Reject

NAME = "stored_completions"
EXPECTED = "chat.completion objects with their messages"

_OBJECTS = ("chat.completion", "text_completion", "response")
_STORED = (openai_chat, openai_completions, openai_responses)
_BESIDE = frozenset({"session_id", "session", "conversation_id", "thread_id", "user_id", "tags", "cost"})
_ECHOED = ("tools", "temperature", "top_p", "max_output_tokens", "tool_choice", "response_format", "seed")


def matches(row: Any) -> bool:
    if not isinstance(row, dict):
        return False
    if row.get("object") in _OBJECTS:
        return "request" not in row
    first = objects_in(row.get("data"))[:20] if row.get("object") == "list" else []
    return any(item.get("object") in _OBJECTS for item in first)


def records(row: dict[str, Any]) -> Iterator[Record | Reject]:
    if row.get("object") != "list":
        yield parse(row)
        return
    for item in row["data"]:
        try:
            yield parse(item)
        except MalformedError as error:
            yield Reject(0, str(error), excerpt_of(item))


def parse(stored: Any) -> Record:
    """One stored object as a call; what it was asked is there only where messages or input stand beside.

    Raises MalformedError.
    """
    speaker = answer_of(stored)
    if speaker not in _STORED or speaker is None:
        raise MalformedError("the item is no stored completion or response")
    issues: set[Issue] = set()
    answered = speaker.answered(stored, issues)
    if answered.output is None and not answered.error:
        raise MalformedError("the stored object has no answer")
    asked = _asked(stored, issues)
    if not asked.messages:
        issues.add(Issue.CONTENT_OFF)
    beside = {key: value for key, value in stored.items() if key in _BESIDE}
    call = Call(format=NAME, asked=asked, answered=answered, spoken=openai_responses.PROVIDER)
    return record_of({**beside, "id": text_of(stored.get("id"))}, call, issues)


def _asked(stored: Json, issues: set[Issue]) -> Asked:
    """The request, as far as the stored object repeats it. Raises MalformedError."""
    if isinstance(stored.get("messages"), dict):
        stored = {**stored, "messages": stored["messages"].get("data")}
    keys = [key for key in ("messages", "input", "prompt", "instructions") if stored.get(key)]
    repeated = {key: stored[key] for key in (*keys, *_ECHOED, "metadata", "model", "user") if stored.get(key)}
    if "messages" in keys:
        return openai_chat.asked(repeated, issues)
    if "prompt" in keys and "input" not in keys:
        return openai_completions.asked(repeated, issues)
    return openai_responses.asked(repeated, issues)
