"""The Vercel AI SDK's messages, tools and answers as OpenAI chat shapes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from slmhub.formats.fields import as_text, text_of
from slmhub.formats.otlp.values import decoded
from slmhub.formats.parts import (
    Part,
    content_of,
    data_url,
    file_part,
    image_part,
    reasoning_part,
    text_part,
    tool_call,
    tool_result,
)
from slmhub.formats.records import Issue, Message
from slmhub.formats.tools import definition_of


def prompt_of(prompt: Any, issues: set[Issue]) -> list[Message]:
    """The messages of `ai.prompt`: `{system?, prompt?, messages?}`, or a bare prompt."""
    given = decoded(prompt, issues)
    if given is None:
        return []
    if isinstance(given, list):
        return messages_of(given, issues)
    if not isinstance(given, dict):
        return [{"role": "user", "content": as_text(given)}]
    messages: list[Message] = []
    system = given.get("system")
    for piece in system if isinstance(system, list) else [system]:
        text = piece.get("content") if isinstance(piece, dict) else piece
        if text not in (None, ""):
            messages.append({"role": "system", "content": as_text(text)})
    for said in (given.get("messages"), given.get("prompt")):
        if isinstance(said, list):
            messages += messages_of(said, issues)
        elif said is not None:
            messages.append({"role": "user", "content": as_text(said)})
    return messages


def messages_of(given: Any, issues: set[Issue]) -> list[Message]:
    """The messages of a list, or of its JSON; results, of which one message may hold many, one by one."""
    messages: list[Message] = []
    for item in _listed(decoded(given, issues)):
        if not isinstance(item, dict):
            messages.append({"role": "user", "content": as_text(item)})
            continue
        role, content = text_of(item.get("role")) or "user", item.get("content")
        if not isinstance(content, list):
            messages.append({"role": role, "content": None if content is None else as_text(content)})
            continue
        said, calls, results = [], [], []
        for part in content:
            kind = part.get("type") if isinstance(part, dict) else None
            if not isinstance(part, dict):
                said.append(text_part(as_text(part)))
            elif kind == "tool-call":
                calls.append(call_of(part, issues))
            elif kind == "tool-result":
                results.append(_result_of(part))
            else:
                said.append(part_of(part))
        if said or calls or role != "tool":
            message: Message = {"role": role, "content": content_of(said)}
            messages.append({**message, "tool_calls": calls} if calls else message)
        messages += results
    return messages


def _result_of(part: dict[str, Any]) -> Message:
    result = part.get("result", part.get("output"))
    # Version 5 and later wrap it, `{"type": "json", "value": …}`.
    if "output" in part and isinstance(result, dict) and "value" in result:
        result = result["value"]
    return tool_result(text_of(part.get("toolCallId")), as_text(result), text_of(part.get("toolName")))


def part_of(part: dict[str, Any]) -> Part:
    kind = part.get("type")
    mime = text_of(part.get("mediaType")) or text_of(part.get("mimeType")) or ""
    if kind == "text" and isinstance(part.get("text"), str):
        return text_part(part["text"])
    if kind == "reasoning" and isinstance(part.get("text"), str):
        kept = {key: value for key, value in part.items() if key == "signature"}
        return {**reasoning_part(part["text"]), **kept}
    if kind == "image":
        return image_part(_url_of(part.get("image", part.get("data")), mime or "image/*"))
    if kind == "file":
        url = _url_of(part.get("data", part.get("url")), mime)
        if mime.startswith("image/"):
            return image_part(url)
        place = {"file_data": url} if url.startswith("data:") else {"url": url}
        return file_part(filename=text_of(part.get("filename")), **place)
    return {**part, "type": as_text(kind or "unknown")}


def _url_of(data: Any, mime: str) -> str:
    """An address or a `data:` URL as it is, base64 made one."""
    if isinstance(data, dict):
        data = data.get("url", data.get("data", data))
    text = as_text("" if data is None else data)
    return text if "://" in text[:16] or text.startswith("data:") else data_url(mime, text)


def call_of(part: dict[str, Any], issues: set[Issue]) -> dict[str, Any]:
    arguments = part.get("args", part.get("input"))
    written = None if arguments is None else as_text(arguments)
    return tool_call(text_of(part.get("toolCallId")), text_of(part.get("toolName")), written, issues)


def calls_of(given: Any, issues: set[Issue]) -> list[dict[str, Any]]:
    """The calls of `ai.response.toolCalls`."""
    return [call_of(call, issues) for call in _listed(decoded(given, issues)) if isinstance(call, dict)]


def tools_of(given: Any, issues: set[Issue]) -> list[dict[str, Any]]:
    """The definitions of `ai.prompt.tools`: a list whose members are objects or their JSON."""
    found: Iterable[Any] = (decoded(tool, issues) for tool in _listed(decoded(given, issues)))
    return [definition_of(tool) for tool in found if isinstance(tool, dict)]


def choice_of(given: Any, issues: set[Issue]) -> Any:
    """The tool choice in OpenAI's words: "auto", "required", "none" or the function."""
    choice = decoded(given, issues)
    if not isinstance(choice, dict):
        return choice
    if choice.get("type") == "tool":
        return {"type": "function", "function": {"name": text_of(choice.get("toolName")) or ""}}
    return choice.get("type", choice)


def _listed(given: Any) -> list[Any]:
    return given if isinstance(given, list) else [] if given is None else [given]
