"""OpenAI chat shapes read as texts and values: what all prompt formats need of a message."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from typing import Any

Message = Mapping[str, Any]
Tool = Mapping[str, Any]


class PromptFormatError(Exception):
    """A prompt format cannot be used with this base, or cannot show this call; the message says why."""


def content_text(content: object) -> str:
    """A message's content as one text; parts that are no text are named by their type."""
    if content is None:
        return ""
    if isinstance(content, list):
        return "\n".join(_part_text(part) for part in content)
    return content if isinstance(content, str) else compact_json(content)


def _part_text(part: object) -> str:
    if isinstance(part, Mapping):
        text = part.get("text")
        return text if isinstance(text, str) else f"[{part.get('type', 'part')}]"
    return str(part)


def tool_function(tool: Tool) -> Mapping[str, Any]:
    """Name, description and parameters of a tool, whether it is wrapped as OpenAI does or flat."""
    function = tool.get("function")
    return function if isinstance(function, Mapping) else tool


def tool_name(tool: Tool) -> str:
    return str(tool_function(tool).get("name", ""))


def openai_call(name: str, arguments: Mapping[str, Any] | str) -> dict[str, Any]:
    """A tool call with an id of its own; arguments that are a string already stay as they are."""
    text = arguments if isinstance(arguments, str) else compact_json(arguments)
    function = {"name": name, "arguments": text}
    return {"id": f"call_{secrets.token_hex(12)}", "type": "function", "function": function}


def compact_json(value: object) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def json_or_none(text: str) -> Any:
    """The value of strict JSON, else None: a model may write anything, NaN and endless brackets too."""
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        return None


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def encodable(text: str) -> str:
    """`text` with lone surrogates, which JSON may hold and UTF-8 may not, replaced by question marks."""
    return text.encode("utf-8", "replace").decode("utf-8")
