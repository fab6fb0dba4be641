"""Builds the pieces of OpenAI chat messages, so that every wire format says the same thing the same way."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from slmhub.formats.fields import as_text
from slmhub.formats.foreign_json import NotJsonError, decode
from slmhub.formats.records import Issue, Message

Part = dict[str, Any]


def text_part(text: str) -> Part:
    return {"type": "text", "text": text}


def reasoning_part(text: str) -> Part:
    return {"type": "reasoning", "text": text}


def image_part(url: str) -> Part:
    """`url` is an address or a `data:` URL."""
    return {"type": "image_url", "image_url": {"url": url}}


def data_url(mime: str, base64: str) -> str:
    return f"data:{mime or 'application/octet-stream'};base64,{base64}"


def file_part(**fields: Any) -> Part:
    """`file_id`, `filename`, `file_data` (a `data:` URL) or `url`; what is None is left out."""
    return {"type": "file", "file": {key: value for key, value in fields.items() if value is not None}}


def audio_part(base64: str, encoding: str) -> Part:
    return {"type": "input_audio", "input_audio": {"data": base64, "format": encoding}}


def content_of(parts: Sequence[Part]) -> str | list[Part] | None:
    """None for no part, the bare text for a single text part, else the list."""
    if not parts:
        return None
    if len(parts) == 1 and parts[0].get("type") == "text":
        return str(parts[0].get("text", ""))
    return list(parts)


def arguments_of(arguments: Any, issues: set[Issue]) -> str:
    """Tool arguments as a JSON string: a string stays as it is, an object is written compactly."""
    if arguments is None or arguments == "":
        return "{}"
    if not isinstance(arguments, str):
        return as_text(arguments)
    try:
        # JSON written into JSON text once too often is a string again.
        twice = isinstance(decode(arguments), str)
    except NotJsonError:
        twice = True
    if twice:
        issues.add(Issue.ARGUMENTS_NOT_JSON)
    return arguments


def tool_call(id: Any, name: Any, arguments: Any, issues: set[Issue]) -> dict[str, Any]:
    function = {"name": str(name or ""), "arguments": arguments_of(arguments, issues)}
    return {"id": str(id or ""), "type": "function", "function": function}


def assistant(parts: Sequence[Part], calls: Sequence[dict[str, Any]] = ()) -> Message:
    message: Message = {"role": "assistant", "content": content_of(parts)}
    if calls:
        message["tool_calls"] = list(calls)
    return message


def tool_result(call_id: Any, result: Any, name: Any = None) -> Message:
    """A tool message; a result that is no text is written as JSON."""
    message: Message = {"role": "tool", "tool_call_id": str(call_id or ""), "content": as_text(result)}
    return {**message, "name": str(name)} if name else message


def function_tool(name: Any, description: Any = None, parameters: Any = None, **more: Any) -> dict[str, Any]:
    """A tool definition in OpenAI's shape."""
    function: dict[str, Any] = {"name": str(name or "")}
    if description:
        function["description"] = str(description)
    if parameters is not None:
        function["parameters"] = parameters
    return {"type": "function", "function": {**function, **more}}
