"""OpenInference's flattened messages as chat messages."""

from __future__ import annotations

from typing import Any

from slmhub.formats.fields import as_text, text_of
from slmhub.formats.otlp.flattened import Items
from slmhub.formats.otlp.values import HIDDEN
from slmhub.formats.parts import (
    Part,
    audio_part,
    content_of,
    file_part,
    image_part,
    reasoning_part,
    text_part,
    tool_call,
)
from slmhub.formats.records import Issue, Message

_ROLES = {"function": "tool", "human": "user", "ai": "assistant", "model": "assistant"}
_PART = "message_content."
_CALL = "tool_call."
_REASONING_FIELDS = ("id", "signature", "data", "encrypted_content")

_PART_FIELDS = (
    "type", "text", "image.image.url", "audio.audio.url", "audio.audio.mime_type", "audio.audio.transcript",
    "video.video.url", "document.document.url", "document.document.content", "document.document.name",
    "document.document.mime_type", "document.document.id", *_REASONING_FIELDS,
)  # fmt: skip
_FIELDS = ("role", "content", "name", "tool_call_id", "function_call_name", "function_call_arguments_json")
_CALL_FIELDS = ("id", "function.name", "function.arguments", "reasoning_signature")

_CALLING = {"message.tool_calls", "message.function_call_name"}

# What an Unflattener reads of a list of messages.
MESSAGE = {
    "": frozenset(f"message.{field}" for field in _FIELDS),
    "message.contents": frozenset(_PART + field for field in _PART_FIELDS),
    "message.tool_calls": frozenset(_CALL + field for field in _CALL_FIELDS),
}


def messages_of(items: Items, issues: set[Issue]) -> list[Message]:
    messages: list[Message] = []
    for fields in items.in_order():
        calls = _calls_of(fields, issues) if _CALLING & fields.keys() else []
        call_id = text_of(fields.get("message.tool_call_id"))
        name = text_of(fields.get("message.name"))
        role = fields.get("message.role")
        if isinstance(role, str) and role:
            role = _ROLES.get(role, role)
        elif calls:
            role = "assistant"
        elif "message.tool_call_id" in fields or "message.name" in fields:
            # Of a message that the emitter's limits cut, only its last fields are left: those of a result.
            role = "tool"
        else:
            role = "user"
        message: Message = {"role": role, "content": _content_of(fields, issues)}
        if message["content"] is None and role != "assistant":
            # OpenInference leaves out empty texts; only an assistant may say nothing.
            message["content"] = ""
        if calls:
            message["tool_calls"] = calls
        if call_id is not None:
            message["tool_call_id"] = call_id
        if name:
            message["name"] = name
        messages.append(message)
    return messages


def joined(messages: list[Message]) -> Message | None:
    """The one answer that several flattened messages make (the output items of OpenAI's Responses)."""
    if len(messages) < 2:
        return messages[0] if messages else None
    parts: list[Part] = []
    calls: list[dict[str, Any]] = []
    for message in messages:
        content = message.get("content")
        if isinstance(content, list):
            parts += content
        elif content:
            parts.append(text_part(content))
        calls += message.get("tool_calls", ())
    whole: Message = {**messages[0], "content": content_of(parts)}
    return {**whole, "tool_calls": calls} if calls else whole


def _content_of(fields: dict[str, Any], issues: set[Issue]) -> str | list[Part] | None:
    content, contents = fields.get("message.content"), fields.get("message.contents")
    if content == HIDDEN:
        issues.add(Issue.CONTENT_OFF)
    if not isinstance(contents, Items):
        return _plain_content(content)
    parts = [_part_of(part, issues) for part in contents.in_order()]
    plain = _plain_content(content)
    if isinstance(plain, str) and plain and text_part(plain) not in parts:
        parts.insert(0, text_part(plain))
    return content_of(parts)


def _plain_content(content: Any) -> str | list[Part] | None:
    if content is None or isinstance(content, str):
        return content
    if isinstance(content, list) and all(isinstance(part, dict) and "type" in part for part in content):
        return content_of(content)
    return as_text(content)


def _part_of(fields: dict[str, Any], issues: set[Issue]) -> Part:
    if HIDDEN in (fields.get(_PART + "text"), fields.get(_PART + "image.image.url")):
        issues.add(Issue.CONTENT_OFF)
    given = {key.removeprefix(_PART): as_text(value) for key, value in fields.items()}
    # Without its type the group of its first field tells: "image" of "image.image.url".
    kind = given.pop("type", "") or next((key.split(".")[0] for key in given if key != "id"), "text")
    if kind in ("reasoning", "thinking"):
        kept = {key: given[key] for key in _REASONING_FIELDS if key in given}
        return {**reasoning_part(given.get("text", "")), **kept}
    if kind == "text" and "text" in given:
        return text_part(given["text"])
    if kind == "image" and "image.image.url" in given:
        return image_part(given["image.image.url"])
    if kind == "audio" and "audio.audio.url" in given:
        return _audio_of(given)
    if kind in ("document", "file"):
        return _document_of(given)
    return {"type": kind, **given}


def _audio_of(given: dict[str, str]) -> Part:
    url, mime = given["audio.audio.url"], given.get("audio.audio.mime_type", "")
    head, comma, data = url.partition(",")
    if not comma or not head.startswith("data:"):
        return {"type": "audio", "audio": {"url": url}}
    mime = mime or head[5:].partition(";")[0]
    part = audio_part(data, mime.rpartition("/")[2])
    transcript = given.get("audio.audio.transcript")
    return {**part, "transcript": transcript} if transcript else part


def _document_of(given: dict[str, str]) -> Part:
    fields = {key.removeprefix("document.document."): value for key, value in given.items()}
    url = fields.get("url", "")
    place = {"file_data": url} if url.startswith("data:") else {"url": url or None}
    return file_part(
        file_id=fields.get("id"),
        filename=fields.get("name"),
        mime_type=fields.get("mime_type"),
        text=fields.get("content"),
        **place,
    )


def _calls_of(fields: dict[str, Any], issues: set[Issue]) -> list[dict[str, Any]]:
    calls: list[dict[str, Any]] = []
    items = fields.get("message.tool_calls")
    for given in items.in_order() if isinstance(items, Items) else ():
        arguments = _written(given.get(_CALL + "function.arguments"), issues)
        name = text_of(given.get(_CALL + "function.name"))
        call = tool_call(text_of(given.get(_CALL + "id")), name, arguments, issues)
        signature = text_of(given.get(_CALL + "reasoning_signature"))
        if signature:
            call["reasoning_signature"] = signature
        calls.append(call)
    function = text_of(fields.get("message.function_call_name"))
    if function and not calls:
        arguments = _written(fields.get("message.function_call_arguments_json"), issues)
        calls.append(tool_call(f"function_{function}", function, arguments, issues))
    return calls


def _written(arguments: Any, issues: set[Issue]) -> str | None:
    if arguments == HIDDEN:
        issues.add(Issue.CONTENT_OFF)
        return None
    return None if arguments is None else as_text(arguments)
