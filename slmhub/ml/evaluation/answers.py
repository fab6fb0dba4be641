"""Assistant answers as values that can be compared: text, JSON content, tool calls."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

MAX_DEPTH = 64


@dataclass(frozen=True)
class ToolCall:
    """`arguments` is None when the emitted string is no JSON object; `raw` keeps it."""

    name: str
    arguments: dict[str, Any] | None
    raw: str


@dataclass(frozen=True)
class Answer:
    text: str
    calls: tuple[ToolCall, ...]

    @property
    def structure(self) -> dict[str, Any] | list[Any] | None:
        """The content as JSON when it is an object or a list, else None."""
        value = parse_json(self.text) if self.text[:1] in "{[" else None
        return value if isinstance(value, dict | list) else None

    @property
    def kind(self) -> str:
        if self.calls:
            return "tool_call"
        return "text" if self.structure is None else "json"


def read_answer(value: object) -> Answer:
    """An assistant message or a plain string; anything else is an empty answer."""
    if isinstance(value, str):
        return Answer(text=value.strip(), calls=())
    if not isinstance(value, Mapping):
        return Answer(text="", calls=())
    calls = value.get("tool_calls") or []
    found = [_read_call(call) for call in calls] if isinstance(calls, Sequence) else []
    return Answer(text=_content_text(value.get("content")), calls=tuple(found))


def parse_json(text: str) -> Any:
    """The value, or None when the text is no JSON or nested too deep."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return None if _deeper_than(value, MAX_DEPTH) else value


def _deeper_than(value: object, limit: int) -> bool:
    if limit == 0:
        return True
    inner: Sequence[object] = ()
    if isinstance(value, dict):
        inner = list(value.values())
    elif isinstance(value, list):
        inner = value
    return any(_deeper_than(item, limit - 1) for item in inner if isinstance(item, dict | list))


def _content_text(content: object) -> str:
    if isinstance(content, str):
        return content.strip()
    if isinstance(content, list):
        parts = [part.get("text") for part in content if isinstance(part, Mapping)]
        return "\n".join(part for part in parts if isinstance(part, str)).strip()
    return ""


def _read_call(call: object) -> ToolCall:
    function = call.get("function", call) if isinstance(call, Mapping) else {}
    function = function if isinstance(function, Mapping) else {}
    arguments = function.get("arguments", {})
    raw = arguments if isinstance(arguments, str) else json.dumps(arguments, sort_keys=True, default=str)
    value = parse_json(raw or "{}")
    return ToolCall(str(function.get("name", "")), value if isinstance(value, dict) else None, raw)
