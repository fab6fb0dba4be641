"""The Vercel AI SDK's messages, tools and answers as OpenAI chat shapes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
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

_CALL, _RESULT = "tool-call", "tool-result"


def prompt_of(prompt: Any, issues: set[Issue]) -> list[Message]:
    """The messages of `ai.prompt`: `{system?, prompt?, messages?}`, or a bare prompt."""
    given = decoded(prompt, issues)
    if isinstance(given, list):
        return messages_of(given, issues)
    if not isinstance(given, dict):
        return [] if given is None else [{"role": "user", "content": as_text(given)}]
    system = given.get("system")
    messages: list[Message] = []
    for piece in system if isinstance(system, list) else [system]:
        text = piece.get("content") if isinstance(piece, dict) else piece
        messages += [] if text in (None, "") else [{"role": "system", "content": as_text(text)}]
    for said in (given.get("messages"), given.get("prompt")):
        if isinstance(said, list):
            messages += messages_of(said, issues)
        elif said is not None:
            messages.append({"role": "user", "content": as_text(said)})
    return messages


def messages_of(given: Any, issues: set[Issue]) -> list[Message]:
    given = decoded(given, issues)
    return [message for item in _listed(given) for message in _messages_of(item, issues)]


def _listed(given: Any) -> list[Any]:
    return given if isinstance(given, list) else [] if given is None else [given]


def _messages_of(item: Any, issues: set[Issue]) -> Iterator[Message]:
    if not isinstance(item, dict):
        yield {"role": "user", "content": as_text(item)}
        return
    role, content = text_of(item.get("role")) or "user", item.get("content")
    if not isinstance(content, list):
        yield {"role": role, "content": None if content is None else as_text(content)}
        return
    parts = [part if isinstance(part, dict) else text_part(as_text(part)) for part in content]
    calls = [call_of(part, issues) for part in parts if part.get("type") == _CALL]
    said = [part_of(part) for part in parts if part.get("type") not in (_CALL, _RESULT)]
    if said or calls or role != "tool":
        message: Message = {"role": role, "content": content_of(said)}
        yield {**message, "tool_calls": calls} if calls else message
    yield from (_result_of(part) for part in parts if part.get("type") == _RESULT)


def part_of(part: dict[str, Any]) -> Part:
    kind = part.get("type")
    if kind == "text" and isinstance(part.get("text"), str):
        return text_part(part["text"])
    if kind == "reasoning" and isinstance(part.get("text"), str):
        kept = {key: value for key, value in part.items() if key == "signature"}
        return {**reasoning_part(part["text"]), **kept}
    if kind == "image":
        return image_part(_url_of(part.get("image", part.get("data")), _mime_of(part) or "image/*"))
    if kind == "file":
        return _file_of(part)
    return {**part, "type": as_text(kind or "unknown")}


def _file_of(part: dict[str, Any]) -> Part:
    mime = _mime_of(part)
    url = _url_of(part.get("data", part.get("url")), mime)
    if mime.startswith("image/"):
        return image_part(url)
    place = {"file_data": url} if url.startswith("data:") else {"url": url}
    return file_part(filename=text_of(part.get("filename")), **place)


def _mime_of(part: dict[str, Any]) -> str:
    return text_of(part.get("mediaType")) or text_of(part.get("mimeType")) or ""


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


def _result_of(part: dict[str, Any]) -> Message:
    result = part.get("result", part.get("output"))
    if "output" in part and isinstance(result, dict) and "value" in result:
        result = result["value"]
    return tool_result(text_of(part.get("toolCallId")), as_text(result), text_of(part.get("toolName")))


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
