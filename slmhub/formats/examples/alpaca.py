"""Alpaca rows: `{instruction, input?, output, system?, history?}`, or with `chosen` and `rejected`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from slmhub.formats.conversations import ASSISTANT, example
from slmhub.formats.records import MalformedError, Message, Record, Reject

NAME = "alpaca"
EXPECTED = "instruction and output"

_ANSWERS = ("output", "chosen", "response")
_TAKEN = frozenset(("instruction", "input", "system", "history", "rejected", *_ANSWERS))


def matches(row: Any) -> bool:
    return isinstance(row, dict) and "instruction" in row and any(key in row for key in _ANSWERS)


def records(row: dict[str, Any]) -> Iterator[Record | Reject]:
    answer = next(row[key] for key in _ANSWERS if key in row)
    if isinstance(answer, list) and answer:
        # An older way to write preferences: the better answer first.
        answer, row = answer[0], {"rejected": answer[-1], **row}
    if not isinstance(answer, str) or not answer:
        raise MalformedError("there is no output, so there is no answer to learn")
    record = example(row, NAME, (_asked(row), {"role": ASSISTANT, "content": answer}), _TAKEN, set())
    if isinstance(rejected := row.get("rejected"), str):
        record.attributes["non_preferred"] = [{"role": ASSISTANT, "content": rejected}]
    yield record


def _asked(row: dict[str, Any]) -> list[Message]:
    messages: list[Message] = []
    if system := _text(row, "system"):
        messages.append({"role": "system", "content": system})
    messages += _history(row.get("history"))
    asked = "\n".join(text for key in ("instruction", "input") if (text := _text(row, key)))
    if not asked:
        raise MalformedError("instruction and input are both empty")
    return [*messages, {"role": "user", "content": asked}]


def _text(row: dict[str, Any], key: str) -> str:
    value = row.get(key)
    if value is not None and not isinstance(value, str):
        raise MalformedError(f"{key} is no text")
    return value or ""


def _history(value: Any) -> list[Message]:
    messages: list[Message] = []
    for turn in value if isinstance(value, list) else []:
        if not isinstance(turn, list) or len(turn) != 2 or not all(isinstance(text, str) for text in turn):
            raise MalformedError("history is no list of pairs of texts")
        messages += [{"role": "user", "content": turn[0]}, {"role": ASSISTANT, "content": turn[1]}]
    return messages
