"""Amazon Bedrock's Converse, and Amazon's own models, which speak it under /invoke too."""

from __future__ import annotations

from typing import Any

from slmhub.formats import parts
from slmhub.formats.fields import (
    Json,
    as_text,
    either,
    number_of,
    object_in,
    objects_in,
    string_in,
    text_of,
    tokens_of,
    without,
)
from slmhub.formats.parts import Part
from slmhub.formats.providers import bedrock_stream, names
from slmhub.formats.providers.bodies import error_in, list_in
from slmhub.formats.providers.shapes import Answered, Asked
from slmhub.formats.records import Issue, MalformedError, Message, Usage

NAME = "bedrock_converse"
PROVIDER = "aws_bedrock"

_MARKS = frozenset(
    {"inferenceConfig", "toolConfig", "guardrailConfig", "additionalModelRequestFields", "modelId"}
)
_CARRIED = frozenset({"messages", "system", "toolConfig", "modelId", "inferenceConfig", "requestMetadata"})
_ANSWERED = frozenset({"output", "stopReason", "usage", "error", "ResponseMetadata"})
_ROLES = ("user", "assistant", "system")


def is_request(body: Json) -> bool:
    if not isinstance(body.get("messages"), list):
        return False
    blocks = [
        block for message in objects_in(body["messages"]) for block in objects_in(message.get("content"))
    ]
    return not any("type" in block for block in blocks) and (bool(blocks) or not _MARKS.isdisjoint(body))


def is_response(body: Json) -> bool:
    return isinstance(object_in(body.get("output")).get("message"), dict)


def is_event(event: Json) -> bool:
    return bedrock_stream.is_event(event)


def asked(body: Json, issues: set[Issue]) -> Asked:
    """Raises MalformedError."""
    config = object_in(body.get("toolConfig"))
    tools = [made for tool in objects_in(config.get("tools")) if (made := _tool_of(tool))]
    choice = config.get("toolChoice")
    return Asked(
        messages=[*_system(body.get("system")), *_messages(list_in(body, "messages"), issues)],
        tools=tools,
        parameters={
            **object_in(body.get("inferenceConfig")),
            **({"toolChoice": choice} if choice else {}),
            **{key: value for key, value in body.items() if key not in _CARRIED},
        },
        model=text_of(body.get("modelId")),
        metadata=object_in(body.get("requestMetadata")),
    )


def answered(body: Json, issues: set[Issue]) -> Answered:
    """Raises MalformedError."""
    message = object_in(body.get("output")).get("message")
    output = None
    if isinstance(message, dict):
        output = _assistant(message.get("content"), issues, "response.output.message")
    given = text_of(body.get("stopReason"))
    finish = names.finish_of(given)
    return Answered(
        output=output,
        usage=usage_of(object_in(body.get("usage"))),
        finish_reason=finish,
        finish_reason_given=given if given != finish else None,
        response_id=text_of(object_in(body.get("ResponseMetadata")).get("RequestId")),
        error=error_in(body),
        latency_ms=number_of(object_in(body.get("metrics")).get("latencyMs")),
        attributes=without(body, _ANSWERED),
    )


def fold_events(events: list[Json]) -> Json:
    return bedrock_stream.fold_events(events)


def usage_of(usage: Json) -> Usage:
    """What the cache gave and took stands beside the input, unless the total says that it is within."""
    fresh, made = tokens_of(usage.get("inputTokens")), tokens_of(usage.get("outputTokens"))
    read = tokens_of(either(usage, "cacheReadInputTokens", "cacheReadInputTokenCount"))
    written = tokens_of(either(usage, "cacheWriteInputTokens", "cacheWriteInputTokenCount"))
    cached = (read or 0) + (written or 0)
    within = tokens_of(usage.get("totalTokens")) == (fresh or 0) + (made or 0)
    whole = fresh if fresh is None or within else fresh + cached
    return Usage(input=whole, output=made, cached_input=read, cache_write=written)


def _messages(given: list[Any], issues: set[Issue]) -> list[Message]:
    messages: list[Message] = []
    for index, message in enumerate(given):
        where = f"request.messages[{index}]"
        if not isinstance(message, dict):
            raise MalformedError(f"{where} is no object")
        role = message.get("role")
        if role not in _ROLES:
            raise MalformedError(f"{where} has no known role")
        if role == "assistant":
            messages.append(_assistant(message.get("content"), issues, where))
        else:
            messages += _users(role, message.get("content"), where)
    return messages


def _assistant(content: Any, issues: set[Issue], where: str) -> Message:
    said: list[Part] = []
    calls: list[Json] = []
    for block in _blocks(content, where):
        use = block.get("toolUse")
        if isinstance(use, dict):
            calls.append(parts.tool_call(use.get("toolUseId"), use.get("name"), use.get("input"), issues))
        else:
            said += _part_of(block)
    return parts.assistant(said, calls)


def _users(role: str, content: Any, where: str) -> list[Message]:
    messages: list[Message] = []
    said: list[Part] = []
    for block in _blocks(content, where):
        result = block.get("toolResult")
        if not isinstance(result, dict):
            said += _part_of(block)
            continue
        if said:
            messages.append({"role": role, "content": parts.content_of(said)})
            said = []
        messages.append(_result_of(result))
    if said or not messages:
        messages.append({"role": role, "content": parts.content_of(said) or ""})
    return messages


def _result_of(result: Json) -> Message:
    blocks = objects_in(result.get("content"))
    given = [block["json"] if "json" in block and "text" not in block else block for block in blocks]
    made = [
        part
        for block, value in zip(blocks, given, strict=True)
        for part in ([parts.text_part(as_text(value))] if value is not block else _part_of(block))
    ]
    message = parts.tool_result(result.get("toolUseId"), "")
    message["content"] = parts.content_of(made) or ""
    return {**message, "is_error": True} if result.get("status") == "error" else message


def _blocks(content: Any, where: str) -> list[Json]:
    if content is None or content == "":
        return []
    if isinstance(content, str):
        return [{"text": content}]
    if not isinstance(content, list):
        raise MalformedError(f"{where}.content is neither text nor a list of blocks")
    return [block if isinstance(block, dict) else {"text": as_text(block)} for block in content]


def _system(system: Any) -> list[Message]:
    said = [part for block in _blocks(system, "request.system") for part in _part_of(block)]
    return [{"role": "system", "content": parts.content_of(said)}] if said else []


def _part_of(block: Json) -> list[Part]:
    """The parts of one block: none for a mark of the cache."""
    if isinstance(block.get("text"), str):
        return [parts.text_part(block["text"])]
    thought = block.get("reasoningContent")
    if isinstance(thought, dict):
        return [_reasoning(thought)]
    image, document = block.get("image"), block.get("document")
    if isinstance(image, dict):
        return [_image(image, block)]
    if isinstance(document, dict):
        data = object_in(document.get("source")).get("bytes")
        mime = f"application/{string_in(document.get('format'))}"
        name = text_of(document.get("name"))
        return (
            [parts.file_part(filename=name, file_data=parts.data_url(mime, data))]
            if isinstance(data, str)
            else [{"type": "document", **block}]
        )
    if "cachePoint" in block and len(block) == 1:
        return []
    return [block if isinstance(block.get("type"), str) else {"type": next(iter(block), "unknown"), **block}]


def _reasoning(thought: Json) -> Part:
    said = object_in(thought.get("reasoningText"))
    if "text" not in said:
        return {"type": "reasoning", "text": "", **thought}
    made = parts.reasoning_part(as_text(said.get("text") or ""))
    return {**made, "signature": said["signature"]} if said.get("signature") else made


def _image(image: Json, block: Json) -> Part:
    data = object_in(image.get("source")).get("bytes")
    mime = f"image/{string_in(image.get('format')) or '*'}"
    return (
        parts.image_part(parts.data_url(mime, data)) if isinstance(data, str) else {"type": "image", **block}
    )


def _tool_of(tool: Json) -> Json | None:
    spec = tool.get("toolSpec")
    if not isinstance(spec, dict):
        return None if set(tool) <= {"cachePoint"} else tool
    schema = object_in(spec.get("inputSchema")).get("json")
    made = parts.function_tool(spec.get("name"), spec.get("description"), schema)
    made["function"].update(without(spec, frozenset({"name", "description", "inputSchema"})))
    return made
