"""The tool calls of an assistant message, read once for all who ask what was called with what."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from slmhub.formats.fields import as_text


class ToolCall(msgspec.Struct, frozen=True, kw_only=True):
    """`arguments` are a function's, JSON as a text; `input` is a custom tool's, any text."""

    name: str = ""
    arguments: str = ""
    input: str = ""
    id: str = ""

    @property
    def text(self) -> str:
        return self.arguments or self.input


def tool_calls_of(message: Mapping[str, Any] | None) -> list[ToolCall]:
    """Whatever is not there is empty; what is no tool call is left out."""
    calls = message.get("tool_calls") if message else None
    return [_read(call) for call in calls if isinstance(call, dict)] if isinstance(calls, list) else []


def _read(call: dict[str, Any]) -> ToolCall:
    called = call.get("function") or call.get("custom")
    called = called if isinstance(called, dict) else {}
    return ToolCall(
        name=_text(called.get("name")),
        arguments=_text(called.get("arguments")),
        input=_text(called.get("input")),
        id=_text(call.get("id")),
    )


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return "" if value is None else as_text(value)
