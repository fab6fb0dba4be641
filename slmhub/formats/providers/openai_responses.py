"""OpenAI's Responses API: items instead of messages, flat tools, typed streaming events."""

from __future__ import annotations

from typing import Any

from slmhub.formats import parts
from slmhub.formats.chat_shapes import message_of
from slmhub.formats.fields import (
    Json,
    as_text,
    first_text,
    object_in,
    objects_in,
    string_in,
    text_of,
    tokens_of,
    without,
)
from slmhub.formats.parts import Part
from slmhub.formats.providers import names
from slmhub.formats.providers.bodies import error_in, usage_with_total
from slmhub.formats.providers.responses_stream import fold_events as _folded
from slmhub.formats.providers.shapes import Answered, Asked
from slmhub.formats.records import Issue, MalformedError, Message, Usage

NAME = "openai_responses"
PROVIDER = "openai"

_CARRIED = frozenset({"input", "instructions", "tools", "model", "metadata", "messages"})
_KEPT = ("service_tier", "system_fingerprint", "previous_response_id")
_MARKS = frozenset(
    {"instructions", "previous_response_id", "max_output_tokens", "reasoning", "text", "include"}
)
_ROLES = {"model": "assistant", "critic": "system", "discriminator": "system"}
_TOOL_KEYS = frozenset({"type", "name", "description", "parameters"})


def is_request(body: Json) -> bool:
    given = body.get("input")
    if isinstance(given, list):
        return bool(objects_in(given)) and all(isinstance(item, dict) for item in given)
    return isinstance(given, str) and ("model" in body or not _MARKS.isdisjoint(body))


def is_response(body: Json) -> bool:
    return body.get("object") == "response" or (
        isinstance(body.get("output"), list) and ("status" in body or "usage" in body)
    )


def is_event(event: Json) -> bool:
    return string_in(event.get("type")).startswith("response.")


def asked(body: Json, issues: set[Issue]) -> Asked:
    """Raises MalformedError."""
    instructions = body.get("instructions")
    messages: list[Message] = []
    if instructions and isinstance(instructions, str):
        messages.append({"role": "system", "content": instructions})
    elif isinstance(instructions, list):
        messages += _messages_of(instructions, issues)
    messages += _messages_of(body.get("input"), issues)
    metadata = object_in(body.get("metadata"))
    conversation = body.get("conversation")
    conversation_id = text_of(conversation.get("id") if isinstance(conversation, dict) else conversation)
    if conversation_id:
        metadata = {"conversation_id": conversation_id, **metadata}
    return Asked(
        messages=messages,
        tools=[_tool_of(tool) for tool in objects_in(body.get("tools"))],
        parameters={key: value for key, value in body.items() if key not in _CARRIED},
        model=text_of(body.get("model")),
        user=first_text((body,), ("user", "safety_identifier")),
        streamed=bool(body.get("stream")),
        metadata=metadata,
    )


def answered(body: Json, issues: set[Issue]) -> Answered:
    """Raises MalformedError."""
    given = body.get("output")
    messages = _messages_of(given, issues) if isinstance(given, list) else []
    output = next((message for message in reversed(messages) if message["role"] == "assistant"), None)
    status = text_of(body.get("status"))
    reason = text_of(object_in(body.get("incomplete_details")).get("reason"))
    ended = reason or status
    finish: str | None = None
    if ended == "completed" and output and output.get("tool_calls"):
        finish = "tool_calls"
    elif ended not in ("in_progress", "queued"):
        finish = names.finish_of(ended)
    kept = {key: text_of(body.get(key)) for key in _KEPT}
    if status != "completed":
        kept["status"] = status
    begun, over = tokens_of(body.get("created_at")), tokens_of(body.get("completed_at"))
    # Whole seconds: too coarse to be a latency unless there are some.
    latency_ms = (over - begun) * 1000.0 if begun and over and over - begun >= 2 else None
    return Answered(
        output=output,
        usage=usage_of(object_in(body.get("usage"))),
        finish_reason=finish,
        finish_reason_given=reason,
        model=text_of(body.get("model")),
        response_id=text_of(body.get("id")),
        error=error_in(body) or ("the response failed" if status == "failed" else None),
        created=body.get("created_at"),
        latency_ms=latency_ms,
        attributes={key: text for key, text in kept.items() if text},
    )


def fold_events(events: list[Json]) -> Json:
    return _folded(events)


def usage_of(usage: Json) -> Usage:
    given, made = object_in(usage.get("input_tokens_details")), object_in(usage.get("output_tokens_details"))
    counted = Usage(
        input=tokens_of(usage.get("input_tokens")),
        output=tokens_of(usage.get("output_tokens")),
        cached_input=tokens_of(given.get("cached_tokens")),
        cache_write=tokens_of(given.get("cache_write_tokens")),
        reasoning=tokens_of(made.get("reasoning_tokens")),
    )
    return usage_with_total(counted, usage.get("total_tokens"))


def _messages_of(value: Any, issues: set[Issue]) -> list[Message]:
    """The items of one side; what the assistant says, thinks and calls in one go is one message."""
    if value is None:
        return []
    if isinstance(value, str):
        return [{"role": "user", "content": value}]
    if not isinstance(value, list):
        raise MalformedError("request.input must be text or a list of items")
    messages: list[Message] = []
    turn: list[Part] = []
    calls: list[Json] = []
    for index, item in enumerate(value):
        where = f"request.input[{index}]"
        if not isinstance(item, dict):
            raise MalformedError(f"{where} is no object")
        if _is_assistants(item):
            _add_to_turn(item, turn, calls, issues)
            continue
        if turn or calls:
            messages.append(parts.assistant(turn, calls))
            turn, calls = [], []
        role = item.get("role")
        if string_in(item.get("type")).endswith("_output"):
            output = item.get("output")
            result = parts.tool_result(item.get("call_id") or item.get("id"), output)
            if isinstance(output, list) and any("type" in part for part in objects_in(output)):
                result["content"] = parts.content_of(_parts_of(output)) or ""
            messages.append(result)
        elif not isinstance(role, str) or not role:
            raise MalformedError(f"{where} has no role")
        elif item.get("tool_calls") or role == "tool":
            messages.append(message_of(item, issues, where))
        else:
            content = parts.content_of(_parts_of(item.get("content"))) or ""
            messages.append({"role": _ROLES.get(role, role), "content": content})
    if turn or calls:
        messages.append(parts.assistant(turn, calls))
    return messages


def _is_assistants(item: Json) -> bool:
    kind = item.get("type", "message")
    if kind == "message":
        return item.get("role") in ("assistant", "model")
    return not string_in(kind).endswith("_output")


def _add_to_turn(item: Json, turn: list[Part], calls: list[Json], issues: set[Issue]) -> None:
    kind = item.get("type", "message")
    identity = item.get("call_id") or item.get("id")
    if kind == "message":
        turn += _parts_of(item.get("content"))
    elif kind == "function_call":
        calls.append(parts.tool_call(identity, item.get("name"), item.get("arguments"), issues))
    elif kind == "custom_tool_call":
        custom = {"name": as_text(item.get("name") or ""), "input": as_text(item.get("input") or "")}
        calls.append({"id": as_text(identity or ""), "type": "custom", "custom": custom})
    elif kind == "reasoning":
        # The summary is what stands for a reasoning that is not shown.
        texts = _texts_in(item.get("content")) or _texts_in(item.get("summary"))
        sealed = string_in(item.get("encrypted_content"))
        if sealed and not texts:
            texts = [""]
        thoughts = [parts.reasoning_part(text) for text in texts]
        if sealed:
            thoughts[0]["encrypted_content"] = sealed
        turn += thoughts
    else:
        turn.append(item)


def _texts_in(given: Any) -> list[str]:
    texts = [string_in(part.get("text")) for part in objects_in(given)]
    return [text for text in texts if text]


def _parts_of(content: Any) -> list[Part]:
    if content is None or content == "":
        return []
    if not isinstance(content, list):
        return [parts.text_part(as_text(content))]
    made: list[Part] = []
    for part in content:
        if isinstance(part, str):
            made.append(parts.text_part(part))
        elif isinstance(part, dict):
            made.append(_part_of(part))
    return made


def _part_of(part: Json) -> Part:
    kind = part.get("type", "input_text")
    if kind in ("input_text", "output_text", "text", "summary_text"):
        text, notes = parts.text_part(as_text(part.get("text") or "")), part.get("annotations")
        return {**text, "annotations": notes} if notes else text
    if kind == "reasoning_text":
        return parts.reasoning_part(as_text(part.get("text") or ""))
    if kind == "input_image":
        url = part.get("image_url")
        return parts.image_part(url) if isinstance(url, str) else parts.file_part(file_id=part.get("file_id"))
    if kind == "input_file":
        return parts.file_part(
            file_id=part.get("file_id"),
            filename=part.get("filename"),
            file_data=part.get("file_data"),
            url=part.get("file_url"),
        )
    return part


def _tool_of(tool: Json) -> Json:
    if tool.get("type", "function") != "function" or "name" not in tool:
        return tool
    function = parts.function_tool(tool["name"], tool.get("description"), tool.get("parameters"))
    function["function"].update(without(tool, _TOOL_KEYS))
    return function
