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
    system = _parts_of(_blocks(body.get("system"), "request.system"))
    messages: list[Message] = [{"role": "system", "content": parts.content_of(system)}] if system else []
    for index, message in enumerate(list_in(body, "messages")):
        where = f"request.messages[{index}]"
        if not isinstance(message, dict):
            raise MalformedError(f"{where} is no object")
        role = message.get("role")
        if role not in _ROLES:
            raise MalformedError(f"{where} has no known role")
        blocks = _blocks(message.get("content"), where)
        messages += [_assistant(blocks, issues)] if role == "assistant" else _users(role, blocks)

    config = object_in(body.get("toolConfig"))
    parameters = dict(object_in(body.get("inferenceConfig")))
    if config.get("toolChoice"):
        parameters["toolChoice"] = config["toolChoice"]
    parameters |= {key: value for key, value in body.items() if key not in _CARRIED}
    return Asked(
        messages=messages,
        tools=_tools_of(config.get("tools")),
        parameters=parameters,
        model=text_of(body.get("modelId")),
        metadata=object_in(body.get("requestMetadata")),
    )


def answered(body: Json, issues: set[Issue]) -> Answered:
    """Raises MalformedError."""
    message = object_in(body.get("output")).get("message")
    output = None
    if isinstance(message, dict):
        output = _assistant(_blocks(message.get("content"), "response.output.message"), issues)
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


def _assistant(blocks: list[Json], issues: set[Issue]) -> Message:
    said: list[Part] = []
    calls: list[Json] = []
    for block in blocks:
        use = block.get("toolUse")
        if isinstance(use, dict):
            calls.append(parts.tool_call(use.get("toolUseId"), use.get("name"), use.get("input"), issues))
        else:
            said += _parts_of([block])
    return parts.assistant(said, calls)


def _users(role: str, blocks: list[Json]) -> list[Message]:
    messages: list[Message] = []
    said: list[Part] = []
    for block in blocks:
        result = block.get("toolResult")
        if not isinstance(result, dict):
            said += _parts_of([block])
            continue
        if said:
            messages.append({"role": role, "content": parts.content_of(said)})
            said = []
        given: list[Part] = []
        for piece in objects_in(result.get("content")):
            if "json" in piece and "text" not in piece:
                given.append(parts.text_part(as_text(piece["json"])))
            else:
                given += _parts_of([piece])
        message = parts.tool_result(result.get("toolUseId"), "")
        message["content"] = parts.content_of(given) or ""
        if result.get("status") == "error":
            message["is_error"] = True
        messages.append(message)
    if said or not messages:
        messages.append({"role": role, "content": parts.content_of(said) or ""})
    return messages


def _blocks(content: Any, where: str) -> list[Json]:
    if content is None or content == "":
        return []
    if isinstance(content, str):
        return [{"text": content}]
    if not isinstance(content, list):
        raise MalformedError(f"{where}.content is neither text nor a list of blocks")
    return [block if isinstance(block, dict) else {"text": as_text(block)} for block in content]


def _parts_of(blocks: list[Json]) -> list[Part]:
    """A part of each block; a mark of the cache makes none."""
    return [_part_of(block) for block in blocks if block.keys() != {"cachePoint"}]


def _part_of(block: Json) -> Part:
    if isinstance(block.get("text"), str):
        return parts.text_part(block["text"])
    thought, image, document = block.get("reasoningContent"), block.get("image"), block.get("document")
    if isinstance(thought, dict):
        said = object_in(thought.get("reasoningText"))
        if "text" not in said:
            # Redacted by the provider: what stands for it is sent back as it is.
            return {"type": "reasoning", "text": "", **thought}
        made = parts.reasoning_part(as_text(said.get("text") or ""))
        return {**made, "signature": said["signature"]} if said.get("signature") else made
    if isinstance(image, dict):
        data = object_in(image.get("source")).get("bytes")
        if not isinstance(data, str):
            return {"type": "image", **block}
        return parts.image_part(parts.data_url(f"image/{string_in(image.get('format')) or '*'}", data))
    if isinstance(document, dict):
        data = object_in(document.get("source")).get("bytes")
        if not isinstance(data, str):
            return {"type": "document", **block}
        url = parts.data_url(f"application/{string_in(document.get('format'))}", data)
        return parts.file_part(filename=text_of(document.get("name")), file_data=url)
    return block if isinstance(block.get("type"), str) else {"type": next(iter(block), "unknown"), **block}


def _tools_of(given: Any) -> list[Json]:
    made: list[Json] = []
    for tool in objects_in(given):
        spec = tool.get("toolSpec")
        if isinstance(spec, dict):
            schema = object_in(spec.get("inputSchema")).get("json")
            function = parts.function_tool(spec.get("name"), spec.get("description"), schema)
            function["function"].update(without(spec, frozenset({"name", "description", "inputSchema"})))
            made.append(function)
        elif not set(tool) <= {"cachePoint"}:
            made.append(tool)
    return made
