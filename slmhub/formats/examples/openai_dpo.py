"""OpenAI preference lines: `{input: {messages, tools?}, preferred_output, non_preferred_output}`.

The call is the one with the preferred answer; the other one stays beside it. The API's schema calls the two
`preferred_completion` and `non_preferred_completion`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from slmhub.formats.chat_shapes import messages_of, tools_of
from slmhub.formats.conversations import example, split_answer
from slmhub.formats.records import Issue, MalformedError, Message, Record, Reject

NAME = "openai_dpo"
EXPECTED = "input, preferred_output and non_preferred_output"

_PREFERRED = ("preferred_output", "preferred_completion")
_OTHER = ("non_preferred_output", "non_preferred_completion")
_TAKEN = frozenset(("input", *_PREFERRED, *_OTHER))
_CARRIED = frozenset(("messages", "tools", "functions", "model"))


def matches(row: Any) -> bool:
    return isinstance(row, dict) and "input" in row and any(key in row for key in _PREFERRED)


def records(row: dict[str, Any]) -> Iterator[Record | Reject]:
    asked = row["input"]
    if not isinstance(asked, dict):
        raise MalformedError("input must be an object with messages")
    issues: set[Issue] = set()
    messages = messages_of(asked.get("messages"), issues, "input.messages")
    preferred = _answer(row, _PREFERRED, issues)
    left_out: dict[str, Any] = {}
    record = example(row, NAME, split_answer([*messages, *preferred], left_out), _TAKEN, issues)
    record.tools = tools_of(asked)
    record.parameters = {key: value for key, value in asked.items() if key not in _CARRIED}
    record.attributes |= left_out
    if other := _answer(row, _OTHER, issues):
        record.attributes["non_preferred"] = other
    yield record


def _answer(row: dict[str, Any], keys: tuple[str, str], issues: set[Issue]) -> list[Message]:
    key = next((key for key in keys if key in row), "")
    return messages_of(row[key], issues, key) if key else []
