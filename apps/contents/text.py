"""The searchable text of a message or a tool set, and its beginning for lists."""

from __future__ import annotations

from typing import Any

from apps.contents.models import ContentKind
from slmhub.formats.signature import defined_name
from slmhub.formats.signature import text_of as content_text
from slmhub.formats.tool_calls import tool_calls_of

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
    calls = (f"{call.name}({call.text})" for call in tool_calls_of(message))
    pieces = [content_text(message.get("content")), *calls]
    return "\n".join(piece for piece in pieces if piece)


def _tool_names(tools: list[dict[str, Any]]) -> str:
    return " ".join(defined_name(tool) for tool in tools)
