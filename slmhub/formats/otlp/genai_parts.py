"""Messages of OpenTelemetry's GenAI conventions, `{role, parts: […]}`, as OpenAI chat messages."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from slmhub.formats import parts
from slmhub.formats.fields import as_text, string_in, text_of
from slmhub.formats.records import Issue, Message
from slmhub.formats.tools import definition_of

_ROLES = frozenset(("system", "developer", "user", "assistant", "tool"))
_OTHER_ROLES = {"model": "assistant", "ai": "assistant", "human": "user", "function": "tool"}


def is_parts_message(value: Any) -> bool:
    return isinstance(value, dict) and "role" in value and isinstance(value.get("parts"), list)


def message_of(value: dict[str, Any], issues: set[Issue]) -> Message:
    """The first message of `messages_of`: for a value that holds one."""
    found = messages_of([value], issues)
    return found[0] if found else {"role": role_of(value.get("role")), "content": None}


def messages_of(values: Iterable[Any], issues: set[Issue]) -> list[Message]:
    """Each tool response becomes a message of its own, as OpenAI has it."""
    found: list[Message] = []
    for value in values:
        if is_parts_message(value):
            found += _split(value, issues)
        elif isinstance(value, dict):
            found.append(loose_message(value, issues))
        elif value is not None:
            found.append({"role": "user", "content": as_text(value)})
    return found


def _split(value: dict[str, Any], issues: set[Issue]) -> list[Message]:
    content, calls, answers = [], [], []
    for part in value["parts"]:
        kind = part.get("type") if isinstance(part, dict) else None
        if kind == "tool_call":
            calls.append(
                parts.tool_call(text_of(part.get("id")), part.get("name"), part.get("arguments"), issues)
            )
        elif kind == "tool_call_response":
            response = part["response"] if "response" in part else part.get("result")
            answers.append(parts.tool_result(text_of(part.get("id")), "" if response is None else response))
        else:
            content.append(_content_part(part, issues))
    if answers and not content and not calls:
        return answers
    message: Message = {"role": role_of(value["role"]), "content": parts.content_of(content)}
    if calls:
        message["tool_calls"] = calls
    if name := text_of(value.get("name")):
        message["name"] = name
    # What a person says beside a tool's answer comes after it: OpenAI wants answers right after the call.
    return [*answers, message]


def loose_message(value: dict[str, Any], issues: set[Issue], role: str = "user") -> Message:
    """`{role, content, tool_calls}` as OpenAI writes it, whatever is missing or wrongly typed."""
    content = value.get("content")
    if isinstance(content, list):
        content = parts.content_of([_openai_part(part, issues) for part in content])
    elif content is not None:
        content = as_text(content)
    message: Message = {"role": role_of(value.get("role") or role), "content": content}
    calls = []
    for call in _listed(value.get("tool_calls")):
        if isinstance(call, dict):
            function = call.get("function")
            given = function if isinstance(function, dict) else call
            calls.append(
                parts.tool_call(text_of(call.get("id")), given.get("name"), given.get("arguments"), issues)
            )
    if calls:
        message["tool_calls"] = calls
    if message["role"] == "tool":
        message["tool_call_id"] = text_of(value.get("tool_call_id") or value.get("id")) or ""
    if name := text_of(value.get("name")):
        message["name"] = name
    return message


def _openai_part(part: Any, issues: set[Issue]) -> parts.Part:
    # A part of OpenAI's own names its text "text"; only those of the conventions have a "content".
    if isinstance(part, dict) and "type" in part and "content" not in part:
        return part
    return _content_part(part, issues)


def instructions_of(value: Any, issues: set[Issue]) -> list[Message]:
    """The system message of `gen_ai.system_instructions`: a list of parts, or text."""
    given = [_content_part(part, issues) for part in _listed(value) if part]
    return [{"role": "system", "content": parts.content_of(given)}] if given else []


def tools_of(value: Any) -> list[dict[str, Any]]:
    """Tool definitions in OpenAI's shape; those that no function describes stay as they are."""
    return [definition_of(tool) for tool in _listed(value) if isinstance(tool, dict)]


def role_of(role: Any) -> str:
    given = role.lower() if isinstance(role, str) else ""
    return given if given in _ROLES else _OTHER_ROLES.get(given, given or "user")


def _content_part(part: Any, issues: set[Issue]) -> parts.Part:
    if not isinstance(part, dict):
        return parts.text_part(as_text(part))
    match part.get("type"):
        case "text" | None if "content" in part:
            return parts.text_part(as_text(part["content"] if part["content"] is not None else ""))
        case "reasoning" | "thinking" if isinstance(part.get("content"), str):
            return parts.reasoning_part(part["content"])
        case "blob":
            data = part.get("content", part.get("data"))
            if not isinstance(data, str):
                return part
            mime = string_in(part.get("mime_type"))
            if part.get("modality") == "audio" or mime.startswith("audio/"):
                return parts.audio_part(data, mime.partition("/")[2] or "wav")
            url = parts.data_url(mime, data)
            return _image_or_file(part, url, {"file_data": url})
        case "uri" if isinstance(part.get("uri"), str):
            return _image_or_file(part, part["uri"], {"url": part["uri"]})
        case "file" if isinstance(part.get("file_id"), str):
            return parts.file_part(file_id=part["file_id"])
    return part


def _image_or_file(part: dict[str, Any], url: str, file: dict[str, str]) -> parts.Part:
    is_image = part.get("modality") == "image" or str(part.get("mime_type", "")).startswith("image/")
    return parts.image_part(url) if is_image else parts.file_part(**file)


def _listed(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]
