"""Messages as LangChain serialises them, and plain role dicts, as OpenAI chat messages.

Three spellings of one message: `{lc, type: "constructor", id: […, "AIMessage"], kwargs}`, `{type: "ai",
content, …}` (also nested under `data`) and `{role, content, …}`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from slmhub.formats import chat_shapes
from slmhub.formats.fields import as_text, object_in, objects_in
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
        # OpenAI's calls hold a `function`, LangChain's are flat: `{name, args, id}`.
        calls = objects_in(value.get("tool_calls"))
        flat = bool(calls) and all("args" in call and "function" not in call for call in calls)
        return flat or not _LANGCHAIN_KEYS.isdisjoint(value)
    if not isinstance(value.get("type"), str) or value["type"] not in _TYPES:
        return False
    return "content" in value or "content" in object_in(value.get("data"))


def message_of(value: dict[str, Any], issues: set[Issue]) -> Message:
    """The OpenAI chat message; what it cannot place stays a part of the content. Never raises."""
    if isinstance(value.get("role"), str) and not _OWN_KEYS & value.keys():
        try:
            return chat_shapes.message_of(value, issues, "message")
        except MalformedError:
            pass
    fields = fields_of(value)
    given = fields.get("content")
    kind = _class_of(value) if _is_constructor(value) else str(value.get("type"))
    kind = _CLASSES.get(kind, kind)
    if kind not in _ROLES:
        kind = str(fields.get("role") or "user")

    parts: list[Part] = []
    for item in given if isinstance(given, list) else [given]:
        if isinstance(item, dict):
            parts.append(_part_of(item))
        elif item is not None and given != "":
            parts.append(text_part(as_text(item)))
    calls = _calls_of(fields, parts, issues)
    content = [part for part in parts if part.get("type") not in _CALLS]
    # DeepSeek and others: the reasoning stands beside the message, where no part repeats it.
    thought = object_in(fields.get("additional_kwargs")).get("reasoning_content")
    if thought and isinstance(thought, str) and not any(part.get("type") == "reasoning" for part in content):
        content.insert(0, reasoning_part(thought))

    message: Message = {"role": _ROLES.get(kind, kind), "content": content_of(content)}
    if message["content"] is None and isinstance(given, str) and not calls:
        message["content"] = given
    if calls:
        message["tool_calls"] = calls
    for key in ("name", "tool_call_id"):
        if isinstance(fields.get(key), str) and fields[key]:
            message[key] = fields[key]
    if message["role"] == "tool":
        message.setdefault("tool_call_id", "")
    return message


def fields_of(value: dict[str, Any]) -> dict[str, Any]:
    """What stands in the message, whichever way it was serialised."""
    inner = value.get("kwargs") if _is_constructor(value) else value.get("data")
    return inner if isinstance(inner, dict) else value


def _part_of(part: dict[str, Any]) -> Part:
    kind = part.get("type")
    if isinstance(part.get("text"), str) and (not isinstance(kind, str) or kind in _TEXTS):
        return text_part(part["text"])
    if not isinstance(kind, str):
        return text_part(as_text(part))
    if kind not in _REASONING:
        return _media_part_of(part, kind)
    thought = part.get("thinking") or part.get("reasoning") or part.get("text")
    if isinstance(thought, str):
        return reasoning_part(thought)
    steps = [step["text"] for step in objects_in(part.get("summary")) if isinstance(step.get("text"), str)]
    return reasoning_part("\n".join(steps)) if steps else part


def _media_part_of(part: dict[str, Any], kind: str) -> Part:
    source = part["source"] if isinstance(part.get("source"), dict) else part
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
    verbatim = objects_in(object_in(fields.get("additional_kwargs")).get("tool_calls"))
    given = [*objects_in(fields.get("tool_calls")), *objects_in(fields.get("invalid_tool_calls"))]
    inline = [part for part in parts if part.get("type") in _CALLS]
    texts = {}
    for item in verbatim:
        call = _call_of(item, issues)
        texts[call["id"]] = call
    calls = {}
    for index, item in enumerate(given or verbatim or inline):
        call = _call_of(item, issues)
        if call["id"]:
            calls[call["id"]] = texts.get(call["id"], call)
        else:
            calls[index] = call
    return list(calls.values())


def _call_of(item: dict[str, Any], issues: set[Issue]) -> dict[str, Any]:
    function = item.get("function")
    named = function if isinstance(function, dict) else item
    arguments = next((named[key] for key in ("arguments", "args", "input") if key in named), None)
    return tool_call(item.get("call_id") or item.get("id"), named.get("name"), arguments, issues)


def _is_constructor(value: dict[str, Any]) -> bool:
    return value.get("type") == "constructor" and isinstance(value.get("kwargs"), dict)


def _class_of(value: dict[str, Any]) -> str:
    path = value.get("id")
    return str(path[-1]) if isinstance(path, list) and path else ""
