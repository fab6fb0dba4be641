"""Logged chat completions: `{id?, session_id?, timestamp?, request, response, latency_ms?, metadata?}`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from slmhub.formats.exchanges.envelope import Call, error_of, record_of
from slmhub.formats.fields import object_of
from slmhub.formats.providers import answer_of, ask_of, openai_chat
from slmhub.formats.records import Issue, MalformedError, Record, Reject

NAME = "openai_chat"
EXPECTED = "request and response"


def matches(row: Any) -> bool:
    request = row.get("request") if isinstance(row, dict) else None
    if not isinstance(request, dict) or "messages" not in request:
        return False
    response = row.get("response")
    if isinstance(response, str):
        return False
    if isinstance(response, dict) and "choices" in response:
        return True
    # Other providers are asked with `messages` too; other keys, or the answer, tell whose request it is.
    if "body" in request or ask_of(request) not in (None, openai_chat):
        return False
    if isinstance(response, dict):
        return "body" not in response and answer_of(response) in (None, openai_chat)
    return not isinstance(response, list) or not response


def records(row: dict[str, Any]) -> Iterator[Record | Reject]:
    yield parse(row)


def parse(row: dict[str, Any]) -> Record:
    """One logged call. Raises MalformedError when the row breaks the shape that it claims."""
    issues: set[Issue] = set()
    response = object_of(row.get("response"), "response")
    asked = openai_chat.asked(row["request"], issues)
    answered = openai_chat.answered(response, issues)
    if answered.output is None and not (answered.error or error_of(row)):
        raise MalformedError("response has no choices and the row has no error")
    return record_of(row, Call(format=NAME, asked=asked, answered=answered), issues)
