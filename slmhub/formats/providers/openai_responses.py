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
    return Asked(
        messages=[*_instructions(body.get("instructions"), issues), *_messages_of(body.get("input"), issues)],
        tools=[_tool_of(tool) for tool in objects_in(body.get("tools"))],
        parameters={key: value for key, value in body.items() if key not in _CARRIED},
        model=text_of(body.get("model")),
        user=first_text((body,), ("user", "safety_identifier")),
        streamed=bool(body.get("stream")),
        metadata={**_conversation(body), **object_in(body.get("metadata"))},
    )


def answered(body: Json, issues: set[Issue]) -> Answered:
    """Raises MalformedError."""
    given = body.get("output")
    messages = _messages_of(given, issues) if isinstance(given, list) else []
    output = next((message for message in reversed(messages) if message["role"] == "assistant"), None)
    status = text_of(body.get("status"))
    reason = text_of(object_in(body.get("incomplete_details")).get("reason"))
    error = error_in(body)
    kept = {key: text for key in _KEPT if (text := text_of(body.get(key)))}
    if status and status != "completed":
        kept["status"] = status
    return Answered(
        output=output,
        usage=usage_of(object_in(body.get("usage"))),
        finish_reason=_finish(reason or status, output),
        finish_reason_given=reason,
        model=text_of(body.get("model")),
        response_id=text_of(body.get("id")),
        error=error or ("the response failed" if status == "failed" else None),
        created=body.get("created_at"),
        latency_ms=_latency(body),
        attributes=kept,
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


def _instructions(value: Any, issues: set[Issue]) -> list[Message]:
    if isinstance(value, str):
        return [{"role": "system", "content": value}] if value else []
    return _messages_of(value, issues) if isinstance(value, list) else []


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
        if not isinstance(item, dict):
            raise MalformedError(f"request.input[{index}] is no object")
        if _is_assistants(item):
            turn += _assistant_parts(item)
            calls += _calls_of(item, issues)
            continue
        if turn or calls:
            messages.append(parts.assistant(turn, calls))
            turn, calls = [], []
        messages.append(_other_message(item, issues, f"request.input[{index}]"))
    return [*messages, parts.assistant(turn, calls)] if turn or calls else messages


def _is_assistants(item: Json) -> bool:
    kind = item.get("type", "message")
    if kind == "message":
        return item.get("role") in ("assistant", "model")
    return not string_in(kind).endswith("_output")


def _assistant_parts(item: Json) -> list[Part]:
    kind = item.get("type", "message")
    if kind == "message":
        return _parts_of(item.get("content"))
    if kind == "reasoning":
        return _reasoning(item)
    return [] if kind in ("function_call", "custom_tool_call") else [item]


def _reasoning(item: Json) -> list[Part]:
    texts = [string_in(part.get("text")) for part in objects_in(item.get("content"))]
    texts = [text for text in texts if text] or [
        text for part in objects_in(item.get("summary")) if (text := string_in(part.get("text")))
    ]
    sealed = string_in(item.get("encrypted_content"))
    if not texts:
        return [{**parts.reasoning_part(""), "encrypted_content": sealed}] if sealed else []
    first, *rest = [parts.reasoning_part(text) for text in texts]
    return [{**first, "encrypted_content": sealed} if sealed else first, *rest]


def _calls_of(item: Json, issues: set[Issue]) -> list[Json]:
    kind = item.get("type")
    identity = item.get("call_id") or item.get("id")
    if kind == "function_call":
        return [parts.tool_call(identity, item.get("name"), item.get("arguments"), issues)]
    if kind == "custom_tool_call":
        custom = {"name": as_text(item.get("name") or ""), "input": as_text(item.get("input") or "")}
        return [{"id": as_text(identity or ""), "type": "custom", "custom": custom}]
    return []


def _other_message(item: Json, issues: set[Issue], where: str) -> Message:
    kind = string_in(item.get("type"))
    if kind.endswith("_output"):
        return _result_of(item)
    role = item.get("role")
    if not isinstance(role, str) or not role:
        raise MalformedError(f"{where} has no role")
    if item.get("tool_calls") or role == "tool":
        return message_of(item, issues, where)
    return {"role": _ROLES.get(role, role), "content": parts.content_of(_parts_of(item.get("content"))) or ""}


def _result_of(item: Json) -> Message:
    output = item.get("output")
    message = parts.tool_result(item.get("call_id") or item.get("id"), output)
    if isinstance(output, list) and any("type" in part for part in objects_in(output)):
        message["content"] = parts.content_of(_parts_of(output)) or ""
    return message


def _parts_of(content: Any) -> list[Part]:
    if isinstance(content, str):
        return [parts.text_part(content)] if content else []
    return [
        _part_of(part)
        for part in objects_in([{"text": p} if isinstance(p, str) else p for p in _list(content)])
    ]


def _list(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [as_text(value)]


def _part_of(part: Json) -> Part:
    kind = part.get("type", "input_text")
    if kind in ("input_text", "output_text", "text", "summary_text"):
        notes = part.get("annotations")
        return {
            **parts.text_part(as_text(part.get("text") or "")),
            **({"annotations": notes} if notes else {}),
        }
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


def _conversation(body: Json) -> Json:
    given = body.get("conversation")
    named = text_of(given.get("id") if isinstance(given, dict) else given)
    return {"conversation_id": named} if named else {}


def _finish(given: str | None, output: Message | None) -> str | None:
    if given == "completed" and output and output.get("tool_calls"):
        return "tool_calls"
    return names.finish_of(given) if given not in ("in_progress", "queued") else None


def _latency(body: Json) -> float | None:
    begun, ended = tokens_of(body.get("created_at")), tokens_of(body.get("completed_at"))
    # Whole seconds: too coarse to be a latency unless there are some.
    return (ended - begun) * 1000.0 if begun and ended and ended - begun >= 2 else None
