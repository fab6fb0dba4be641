"""Anthropic's Messages API: blocks instead of parts, tool results inside user messages."""

from __future__ import annotations

from typing import Any

from slmhub.formats import parts
from slmhub.formats.chat_shapes import message_of
from slmhub.formats.fields import Json, as_text, object_in, objects_in, string_in, text_of, tokens_of, without
from slmhub.formats.parts import Part
from slmhub.formats.providers import anthropic_stream, names
from slmhub.formats.providers.bodies import error_in, list_in
from slmhub.formats.providers.shapes import Answered, Asked
from slmhub.formats.records import Issue, MalformedError, Message, Usage

NAME = "anthropic_messages"
PROVIDER = "anthropic"

_CARRIED = frozenset({"messages", "system", "tools", "model", "metadata"})
_ANSWERED = frozenset(
    {"content", "error", "id", "model", "role", "stop_reason", "type", "usage", "stop_sequence", "completion"}
)
_MARKS = frozenset(
    {"system", "anthropic_version", "stop_sequences", "thinking", "anthropic_beta", "mcp_servers"}
)
_BLOCKS = ("tool_use", "tool_result", "thinking", "redacted_thinking", "document", "server_tool_use", "image")
_TOOL_KEYS = frozenset({"type", "name", "description", "input_schema", "cache_control"})


def is_request(body: Json) -> bool:
    if not isinstance(body.get("messages"), list):
        return False
    blocks = [
        block for message in objects_in(body["messages"]) for block in objects_in(message.get("content"))
    ]
    if not _MARKS.isdisjoint(body) or any("input_schema" in tool for tool in objects_in(body.get("tools"))):
        # Bedrock's Converse, too, has `system` and `messages`, but blocks without a type.
        return not blocks or any("type" in block for block in blocks)
    return any(block.get("type") in _BLOCKS for block in blocks)


def is_response(body: Json) -> bool:
    return body.get("type") == "message" and isinstance(body.get("content"), list | str)


def is_event(event: Json) -> bool:
    kind = string_in(event.get("type"))
    return kind.startswith(("message_", "content_block_")) and "choices" not in event


def asked(body: Json, issues: set[Issue]) -> Asked:
    """Raises MalformedError."""
    messages: list[Message] = []
    if body.get("system"):
        system = parts.content_of([part_of(block) for block in _blocks(body["system"], "request.system")])
        messages.append({"role": "system", "content": system})
    messages += messages_of(list_in(body, "messages"), issues)
    metadata = object_in(body.get("metadata"))
    return Asked(
        messages=messages,
        tools=[_tool_of(tool) for tool in objects_in(body.get("tools"))],
        parameters={key: value for key, value in body.items() if key not in _CARRIED},
        model=text_of(body.get("model")),
        user=text_of(metadata.get("user_id")),
        streamed=bool(body.get("stream")),
        metadata=metadata,
    )


def answered(body: Json, issues: set[Issue]) -> Answered:
    """Raises MalformedError."""
    message = {"role": "assistant", "content": body.get("content")}
    given = text_of(body.get("stop_reason"))
    finish = names.finish_of(given)
    return Answered(
        output=messages_of([message], issues)[-1] if body.get("content") is not None else None,
        usage=usage_of(object_in(body.get("usage"))),
        finish_reason=finish,
        finish_reason_given=given if given != finish else None,
        model=text_of(body.get("model")),
        response_id=text_of(body.get("id")),
        error=error_in(body),
        attributes=without(body, _ANSWERED),
    )


def fold_events(events: list[Json]) -> Json:
    return anthropic_stream.fold_events(events)


def usage_of(usage: Json) -> Usage:
    """Anthropic counts what the cache gave and took beside the input: the input is the sum of the three."""
    fresh = tokens_of(usage.get("input_tokens"))
    read = tokens_of(usage.get("cache_read_input_tokens"))
    written = tokens_of(usage.get("cache_creation_input_tokens"))
    whole = None if fresh is None and read is None else (fresh or 0) + (read or 0) + (written or 0)
    return Usage(
        input=whole,
        output=tokens_of(usage.get("output_tokens")),
        cached_input=read,
        cache_write=written,
        reasoning=tokens_of(object_in(usage.get("output_tokens_details")).get("thinking_tokens")),
    )


def messages_of(given: list[Any], issues: set[Issue]) -> list[Message]:
    """Chat messages of Anthropic's, tool results as messages of their own. Raises MalformedError."""
    messages: list[Message] = []
    for index, message in enumerate(given):
        where = f"request.messages[{index}]"
        if not isinstance(message, dict):
            raise MalformedError(f"{where} is no object")
        role = message.get("role")
        if not isinstance(role, str) or not role:
            raise MalformedError(f"{where} has no role")
        if message.get("tool_calls") or role == "tool":
            messages.append(message_of(message, issues, where))
            continue
        blocks = _blocks(message.get("content"), where)
        if role != "assistant":
            messages += _users(role, blocks)
            continue
        said = [part_of(block) for block in blocks if block.get("type") != "tool_use"]
        calls = [
            parts.tool_call(block.get("id"), block.get("name"), block.get("input"), issues)
            for block in blocks
            if block.get("type") == "tool_use"
        ]
        messages.append(parts.assistant(said, calls))
    return messages


def _users(role: str, blocks: list[Json]) -> list[Message]:
    messages: list[Message] = []
    said: list[Part] = []
    for block in blocks:
        if block.get("type") != "tool_result":
            said.append(part_of(block))
            continue
        if said:
            messages.append({"role": role, "content": parts.content_of(said)})
            said = []
        content = block.get("content")
        result = parts.tool_result(block.get("tool_use_id"), "" if content is None else content)
        if isinstance(content, list):
            result["content"] = parts.content_of([part_of(part) for part in objects_in(content)]) or ""
        if block.get("is_error") is True:
            result["is_error"] = True
        messages.append(result)
    if said or not messages:
        messages.append({"role": role, "content": parts.content_of(said) or ""})
    return messages


def _blocks(content: Any, where: str) -> list[Json]:
    if content is None or content == "":
        return []
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    if not isinstance(content, list):
        raise MalformedError(f"{where}.content is neither text nor a list of blocks")
    return [
        block if isinstance(block, dict) else {"type": "text", "text": as_text(block)} for block in content
    ]


def part_of(block: Json) -> Part:
    """A content part. Cache marks are left out: they move from message to message and say nothing of it."""
    kind, source = block.get("type"), block.get("source")
    if kind == "text":
        cited = block.get("citations")
        text = parts.text_part(as_text(block.get("text") or ""))
        return {**text, "citations": cited} if cited else text
    if kind == "thinking":
        thought = parts.reasoning_part(as_text(block.get("thinking") or ""))
        return {**thought, "signature": block["signature"]} if block.get("signature") else thought
    if kind == "image" and isinstance(source, dict):
        url = _url_of(source)
        return parts.image_part(url) if url else parts.file_part(file_id=source.get("file_id"))
    if kind == "document" and isinstance(source, dict):
        title = text_of(block.get("title"))
        if source.get("type") == "text":
            return parts.file_part(filename=title, text=source.get("data"))
        if source.get("type") == "base64":
            return parts.file_part(filename=title, file_data=_url_of(source))
        if source.get("url") or source.get("file_id"):
            return parts.file_part(filename=title, url=source.get("url"), file_id=source.get("file_id"))
        return block
    return {key: value for key, value in block.items() if key != "cache_control"}


def _url_of(source: Json) -> str | None:
    data, url = source.get("data"), source.get("url")
    if isinstance(data, str):
        return parts.data_url(as_text(source.get("media_type") or ""), data)
    return url if isinstance(url, str) else None


def _tool_of(tool: Json) -> Json:
    """A tool of one's own as a function; Anthropic's own tools (web_search_20250305 …) as they are."""
    if tool.get("type") == "function" and "function" in tool:
        return tool
    if tool.get("type") not in (None, "custom") or "name" not in tool:
        return tool
    made = parts.function_tool(tool["name"], tool.get("description"), tool.get("input_schema"))
    made["function"].update(without(tool, _TOOL_KEYS))
    return made
