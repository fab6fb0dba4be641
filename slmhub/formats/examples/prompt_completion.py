"""Bare pairs: `{prompt, completion}`, `{prompt, response}`, `{input, output}`, `{prompt, chosen, rejected}`.

Both sides are a text or a list of chat messages.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from slmhub.formats.chat_shapes import messages_of
from slmhub.formats.conversations import ASSISTANT, example, split_answer, tools_of_text
from slmhub.formats.fields import as_text
from slmhub.formats.records import Issue, MalformedError, Message, Record, Reject

NAME = "prompt_completion"
EXPECTED = "prompt and completion"

_PAIRS = (
    ("prompt", "completion"),
    ("prompt", "response"),
    ("prompt", "chosen"),
    ("prompt", "output"),
    ("input", "output"),
    ("question", "answer"),
    ("query", "response"),
)
_SYSTEMS = ("system", "system_prompt")


def matches(row: Any) -> bool:
    return isinstance(row, dict) and _pair_of(row) is not None


def _pair_of(row: dict[str, Any]) -> tuple[str, str] | None:
    # An object that answers a prompt is its JSON; any other object is some API's, which others read.
    kinds = {"prompt": (str, list), "response": (str, list, dict), "completion": (str, list, dict)}
    for pair in _PAIRS:
        if all(isinstance(row.get(key), kinds.get(key, (str, list))) for key in pair):
            return pair
    return None


def records(row: dict[str, Any]) -> Iterator[Record | Reject]:
    pair = _pair_of(row)
    if pair is None:
        raise MalformedError(f"expected {EXPECTED}, both a text or a list of messages")
    issues: set[Issue] = set()
    messages = _said(row, pair[0], "user", issues)
    system = next((row[key] for key in _SYSTEMS if isinstance(row.get(key), str) and row[key]), None)
    if system and not (messages and messages[0]["role"] == "system"):
        messages.insert(0, {"role": "system", "content": system})
    answer = _said(row, pair[1], ASSISTANT, issues)
    # Preference data may repeat the prompt at the begin of the answer.
    repeats = bool(messages) and answer[: len(messages)] == messages
    left_out: dict[str, Any] = {}
    talk = split_answer(answer if repeats else [*messages, *answer], left_out)
    taken = frozenset((*pair, *_SYSTEMS, "tools", "rejected"))
    record = example(row, NAME, talk, taken, issues)
    record.tools = tools_of_text(row.get("tools"))
    record.attributes |= left_out
    if rejected := _said(row, "rejected", ASSISTANT, issues):
        record.attributes["non_preferred"] = rejected
    yield record


def _said(row: dict[str, Any], key: str, role: str, issues: set[Issue]) -> list[Message]:
    value = row.get(key)
    if isinstance(value, list):
        return messages_of(value, issues, key)
    if isinstance(value, dict):
        return [{"role": role, "content": as_text(value)}]
    return [{"role": role, "content": value}] if isinstance(value, str) and value else []
