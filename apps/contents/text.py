"""The searchable text of a message or a tool set, and its beginning for lists."""

from __future__ import annotations

from typing import Any

from apps.contents.models import ContentKind
from slmhub.formats.signature import defined_name
from slmhub.formats.signature import text_of as content_text

PREVIEW = 200


def preview_of(text: str) -> str:
    """The beginning of a text on one line."""
    return " ".join(text[: 2 * PREVIEW].split())[:PREVIEW]


def text_of(kind: ContentKind, body: Any) -> str:
    """What a person would search for: words of a message and its tool calls, names of a tool set."""
    if kind == ContentKind.DETAILS:
        return ""
    return _tool_names(body) if kind == ContentKind.TOOLS else message_text(body)


def message_text(message: dict[str, Any]) -> str:
    calls = message.get("tool_calls")
    pieces = [content_text(message.get("content")), *(call_text(call) for call in calls or () if calls)]
    return "\n".join(piece for piece in pieces if piece)


def call_text(call: dict[str, Any]) -> str:
    """`name({"key": "value"})`."""
    function = call.get("function") or call.get("custom") or {}
    return f"{function.get('name', '')}({function.get('arguments', function.get('input', ''))})"


def _tool_names(tools: list[dict[str, Any]]) -> str:
    return " ".join(defined_name(tool) for tool in tools)
