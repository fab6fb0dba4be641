"""Messages as LangChain serialises them, and plain role dicts, as OpenAI chat messages.

Three spellings of one message: `{lc, type: "constructor", id: […, "AIMessage"], kwargs}`, `{type: "ai",
content, …}` (also nested under `data`) and `{role, content, …}`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from slmhub.formats import chat_shapes
from slmhub.formats.fields import as_text, objects_in
from slmhub.formats.parts import (
    Part,
    audio_part,
    content_of,
    data_url,
    file_part,
    image_part,
    reasoning_part,
    text_part,
    tool_call,
)
from slmhub.formats.records import Issue, MalformedError, Message

_ROLES = {
    "human": "user",
    "user": "user",
    "ai": "assistant",
    "assistant": "assistant",
    "system": "system",
    "developer": "developer",
    "tool": "tool",
    "function": "tool",
}
_CLASSES = {
    f"{name}Message{chunk}": name.lower()
    for name in ("Human", "AI", "System", "Tool", "Function", "Chat")
    for chunk in ("", "Chunk")
}
_TYPES = frozenset({*_ROLES, *_CLASSES, "chat"})
_TEXTS = frozenset({"text", "input_text", "output_text"})
_REASONING = frozenset({"thinking", "reasoning", "redacted_thinking"})
_LANGCHAIN_KEYS = frozenset({"additional_kwargs", "response_metadata", "usage_metadata"})
_OWN_KEYS = _LANGCHAIN_KEYS | {"lc", "type"}
_CALLS = frozenset({"tool_use", "tool_call", "function_call"})


def is_message(value: Any) -> bool:
    """Whether it is visibly LangChain's; a plain `{role, content}` is not, though `message_of` reads it."""
    if not isinstance(value, dict):
        return False
    if _is_constructor(value):
        return _class_of(value) in _CLASSES
    if isinstance(value.get("role"), str):
        return bool(_LANGCHAIN_KEYS & value.keys()) or _has_flat_calls(value)
    return isinstance(value.get("type"), str) and value["type"] in _TYPES and _holds_message(value)


def message_of(value: dict[str, Any], issues: set[Issue]) -> Message:
    """The OpenAI chat message; what it cannot place stays a part of the content. Never raises."""
    if isinstance(value.get("role"), str) and not _OWN_KEYS & value.keys():
        try:
            return chat_shapes.message_of(value, issues, "message")
        except MalformedError:
            pass
    fields = fields_of(value)
    role = _role_of(value, fields)
    parts = list(_parts_of(fields.get("content")))
    calls = _calls_of(fields, parts, issues)
    content = [part for part in parts if part.get("type") not in _CALLS]
    message: Message = {"role": role, "content": content_of([*_reasoning_of(fields, content), *content])}
    if message["content"] is None and isinstance(fields.get("content"), str):
        message["content"] = fields["content"] if not calls else None
    return _finished(message, fields, calls)


def fields_of(value: dict[str, Any]) -> dict[str, Any]:
    """What stands in the message, whichever way it was serialised."""
    inner = value.get("kwargs") if _is_constructor(value) else value.get("data")
    return inner if isinstance(inner, dict) else value


def _is_constructor(value: dict[str, Any]) -> bool:
    return value.get("type") == "constructor" and isinstance(value.get("kwargs"), dict)


def _class_of(value: dict[str, Any]) -> str:
    path = value.get("id")
    return str(path[-1]) if isinstance(path, list) and path else ""


def _has_flat_calls(value: dict[str, Any]) -> bool:
    calls = objects_in(value.get("tool_calls"))
    return bool(calls) and all("args" in call and "function" not in call for call in calls)


def _holds_message(value: dict[str, Any]) -> bool:
    data = value.get("data")
    return "content" in value or (isinstance(data, dict) and "content" in data)


def _role_of(value: dict[str, Any], fields: dict[str, Any]) -> str:
    given = _class_of(value) if _is_constructor(value) else value.get("type")
    kind = _CLASSES.get(str(given), str(given))
    if kind in _ROLES:
        return _ROLES[kind]
    role = str(fields.get("role") or "user")
    return _ROLES.get(role, role)


def _parts_of(content: Any) -> Iterator[Part]:
    if content is None or content == "":
        return
    for item in content if isinstance(content, list) else [content]:
        if isinstance(item, str):
            yield text_part(item)
        elif isinstance(item, dict):
            yield _part_of(item)
        elif item is not None:
            yield text_part(as_text(item))


def _part_of(part: dict[str, Any]) -> Part:
    kind = part.get("type")
    if not isinstance(kind, str):
        return text_part(part["text"]) if isinstance(part.get("text"), str) else text_part(as_text(part))
    if kind in _TEXTS and isinstance(part.get("text"), str):
        return text_part(part["text"])
    if kind in _REASONING:
        return _reasoning_part_of(part)
    return _media_part_of(part, kind)


def _reasoning_part_of(part: dict[str, Any]) -> Part:
    given = part.get("thinking") or part.get("reasoning") or part.get("text")
    if isinstance(given, str):
        return reasoning_part(given)
    steps = part.get("summary")
    texts = [step["text"] for step in steps if _has_text(step)] if isinstance(steps, list) else []
    return reasoning_part("\n".join(texts)) if texts else part


def _media_part_of(part: dict[str, Any], kind: str) -> Part:
    source = part.get("source") if isinstance(part.get("source"), dict) else part
    assert isinstance(source, dict)
    encoded = source.get("data") or source.get("base64")
    mime = str(source.get("mime_type") or source.get("media_type") or "")
    if kind == "image" and isinstance(source.get("url"), str):
        return image_part(source["url"])
    if not isinstance(encoded, str):
        return part
    if kind == "image":
        return image_part(data_url(mime, encoded))
    if kind == "audio":
        return audio_part(encoded, mime.removeprefix("audio/"))
    return file_part(file_data=data_url(mime, encoded)) if kind in ("file", "document") else part


def _calls_of(fields: dict[str, Any], parts: Iterable[Part], issues: set[Issue]) -> list[dict[str, Any]]:
    """The calls once each; the model's own argument text, where it is kept, before LangChain's reading."""
    more = fields.get("additional_kwargs")
    verbatim = objects_in(more.get("tool_calls")) if isinstance(more, dict) else []
    given = [*objects_in(fields.get("tool_calls")), *objects_in(fields.get("invalid_tool_calls"))]
    inline = [part for part in parts if part.get("type") in _CALLS]
    texts = {call["id"]: call for call in (_call_of(item, issues) for item in verbatim)}
    calls = {}
    for index, item in enumerate(given or verbatim or inline):
        call = _call_of(item, issues)
        calls[call["id"] or index] = texts.get(call["id"], call) if call["id"] else call
    return list(calls.values())


def _call_of(item: dict[str, Any], issues: set[Issue]) -> dict[str, Any]:
    function = item.get("function")
    named = function if isinstance(function, dict) else item
    arguments = next((named[key] for key in ("arguments", "args", "input") if key in named), None)
    return tool_call(item.get("call_id") or item.get("id"), named.get("name"), arguments, issues)


def _reasoning_of(fields: dict[str, Any], content: Iterable[Part]) -> Iterator[Part]:
    more = fields.get("additional_kwargs")
    text = more.get("reasoning_content") if isinstance(more, dict) else None
    if isinstance(text, str) and text and not any(part.get("type") == "reasoning" for part in content):
        yield reasoning_part(text)


def _finished(message: Message, fields: dict[str, Any], calls: list[dict[str, Any]]) -> Message:
    if calls:
        message["tool_calls"] = calls
    for key in ("name", "tool_call_id"):
        if isinstance(fields.get(key), str) and fields[key]:
            message[key] = fields[key]
    if message["role"] == "tool":
        message.setdefault("tool_call_id", "")
    return message


def _has_text(step: Any) -> bool:
    return isinstance(step, dict) and isinstance(step.get("text"), str)
