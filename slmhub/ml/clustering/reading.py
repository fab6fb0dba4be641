"""JSON lines in: plain texts, calls with a cell, or spans of `python -m slmhub.formats`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import orjson

from slmhub.formats import signature
from slmhub.ml.clustering.cells import cell_of

MAX_TEXT = 4000
LLM = "llm"


class InputError(ValueError):
    """A line that cannot be read; `line` counts from 1."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(f"line {line}: {reason}")
        self.line = line


class Kind(StrEnum):
    TEXT = "text"
    CALL = "call"
    SPAN = "span"


@dataclass(frozen=True)
class Item:
    """`cell` is None for a plain text, and for a span that is no call (then `ask` is empty)."""

    id: str | int
    ask: str
    cell: str | None = None
    machine: bool = False
    answer: str | None = None


@dataclass(frozen=True)
class Batch:
    kind: Kind
    items: list[Item]


def read(lines: Iterable[bytes]) -> Batch:
    """All lines of one kind. Raises InputError."""
    kind: Kind | None = None
    items: list[Item] = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        row = _object(number, line)
        found = _kind(number, row)
        if kind not in (None, found):
            raise InputError(number, f"a {found} line among {kind} lines")
        kind = found
        items.append(_item(number, found, row, index=len(items)))
    return Batch(kind or Kind.TEXT, items)


def _object(number: int, line: bytes) -> dict[str, Any]:
    try:
        row = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise InputError(number, f"not JSON: {error}") from error
    if not isinstance(row, dict):
        raise InputError(number, "not a JSON object")
    return row


def _kind(number: int, row: dict[str, Any]) -> Kind:
    if "cell" in row:
        return Kind.CALL
    if "kind" in row or "messages" in row:
        return Kind.SPAN
    if "text" in row:
        return Kind.TEXT
    raise InputError(number, 'neither "text" nor "cell" and "ask" nor a span')


def _item(number: int, kind: Kind, row: dict[str, Any], *, index: int) -> Item:
    if kind is Kind.TEXT:
        return Item(index, signature.mask(_text(number, row, "text")[:MAX_TEXT]))
    if kind is Kind.SPAN:
        return _span(number, row, index=index)
    answer = row.get("answer")
    return Item(
        id=_id(number, row, "id", index=index),
        ask=_text(number, row, "ask")[:MAX_TEXT],
        cell=_text(number, row, "cell"),
        machine=row.get("audience") == signature.Audience.MACHINE,
        answer=answer[:MAX_TEXT] if isinstance(answer, str) else None,
    )


def _span(number: int, row: dict[str, Any], *, index: int) -> Item:
    identity = _id(number, row, "span_id", index=index)
    if row.get("kind", LLM) != LLM:
        return Item(identity, "")
    messages, output = row.get("messages") or [], row.get("output")
    tools, parameters = row.get("tools") or [], row.get("parameters") or {}
    try:
        return Item(
            id=identity,
            ask=signature.mask(signature.last_ask(messages)[:MAX_TEXT]),
            cell=cell_of(messages, tools, output),
            machine=signature.audience(signature.action_of(output), parameters) == signature.Audience.MACHINE,
            answer=signature.mask(signature.text_of((output or {}).get("content"))[:MAX_TEXT]),
        )
    except (AttributeError, TypeError) as error:
        raise InputError(number, f"not a span in OpenAI chat shapes ({error})") from error


def _text(number: int, row: dict[str, Any], name: str) -> str:
    value = row.get(name)
    if not isinstance(value, str):
        raise InputError(number, f'"{name}" is not a text')
    return value


def _id(number: int, row: dict[str, Any], name: str, *, index: int) -> str | int:
    value = row.get(name, index)
    if isinstance(value, str | int):
        return value
    raise InputError(number, f'"{name}" is neither a text nor a number')
