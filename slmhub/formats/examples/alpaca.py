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
    messages: list[Message] = []
    system = _text(row, "system")
    if system:
        messages.append({"role": "system", "content": system})
    for turn in row["history"] if isinstance(row.get("history"), list) else ():
        if not isinstance(turn, list) or len(turn) != 2 or not all(isinstance(text, str) for text in turn):
            raise MalformedError("history is no list of pairs of texts")
        messages += [{"role": "user", "content": turn[0]}, {"role": ASSISTANT, "content": turn[1]}]
    texts = [_text(row, "instruction"), _text(row, "input")]
    asked = "\n".join(text for text in texts if text)
    if not asked:
        raise MalformedError("instruction and input are both empty")
    messages.append({"role": "user", "content": asked})
    record = example(row, NAME, (messages, {"role": ASSISTANT, "content": answer}), _TAKEN, set())
    if isinstance(row.get("rejected"), str):
        record.attributes["non_preferred"] = [{"role": ASSISTANT, "content": row["rejected"]}]
    yield record


def _text(row: dict[str, Any], key: str) -> str:
    value = row.get(key)
    if value is not None and not isinstance(value, str):
        raise MalformedError(f"{key} is no text")
    return value or ""
