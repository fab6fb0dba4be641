"""Ollama's own API: /api/chat and /api/generate, whole or as JSON lines."""

from __future__ import annotations

from typing import Any

from slmhub.formats import parts
from slmhub.formats.fields import (
    Json,
    as_text,
    number_of,
    object_in,
    objects_in,
    string_in,
    text_of,
    tokens_of,
    without,
)
from slmhub.formats.parts import Part
from slmhub.formats.providers import names
from slmhub.formats.providers.bodies import CallNames, error_in, list_in
from slmhub.formats.providers.shapes import Answered, Asked
from slmhub.formats.records import Issue, MalformedError, Message, Usage

NAME = "ollama"
PROVIDER = "ollama"

_CARRIED = frozenset({"messages", "prompt", "system", "tools", "model", "options", "images", "suffix"})
_MARKS = frozenset({"options", "keep_alive", "think", "raw", "template"})
_ANSWERED = frozenset(
    {
        "message",
        "response",
        "thinking",
        "model",
        "created_at",
        "done",
        "done_reason",
        "error",
        "total_duration",
    }
    | {"prompt_eval_count", "eval_count", "context", "tool_calls"}
)


def is_request(body: Json) -> bool:
    asks = isinstance(body.get("messages"), list) or isinstance(body.get("prompt"), str)
    return asks and not _MARKS.isdisjoint(body) and "model" in body


def is_response(body: Json) -> bool:
    return isinstance(body.get("done"), bool) and ("message" in body or "response" in body)


def is_event(event: Json) -> bool:
    return is_response(event)


def asked(body: Json, issues: set[Issue]) -> Asked:
    """Raises MalformedError."""
    messages: list[Message] = []
    system = string_in(body.get("system"))
    if system:
        messages.append({"role": "system", "content": system})
    if body.get("prompt"):
        messages.append({"role": "user", "content": _with_images(body, string_in(body["prompt"]))})
    results = CallNames()
    for index, message in enumerate(list_in(body, "messages")):
        if not isinstance(message, dict):
            raise MalformedError(f"request.messages[{index}] is no object")
        role = message.get("role")
        if not isinstance(role, str) or not role:
            raise MalformedError(f"request.messages[{index}] has no role")
        if role == "assistant":
            messages.append(_assistant(message, issues))
            results = CallNames()
        elif role == "tool":
            name = text_of(message.get("tool_name")) or text_of(message.get("name"))
            identity = results.id_of(message.get("tool_call_id"), name or "")
            messages.append(parts.tool_result(identity, _text(message), name))
        else:
            messages.append({"role": role, "content": _with_images(message, _text(message))})
    return Asked(
        messages=messages,
        tools=objects_in(body.get("tools")),
        parameters={
            **object_in(body.get("options")),
            **{key: value for key, value in body.items() if key not in _CARRIED},
        },
        model=text_of(body.get("model")),
        streamed=bool(body.get("stream", False)),
    )


def answered(body: Json, issues: set[Issue]) -> Answered:
    """Raises MalformedError."""
    message = object_in(body.get("message"))
    if not message and isinstance(body.get("response"), str):
        message = {"content": body["response"], "thinking": body.get("thinking")}
    output = _assistant(message, issues) if message else None
    given = text_of(body.get("done_reason"))
    finish = names.finish_of(given)
    if finish == "stop" and output and output.get("tool_calls"):
        finish = "tool_calls"
    took = number_of(body.get("total_duration"))
    return Answered(
        output=output,
        usage=Usage(input=tokens_of(body.get("prompt_eval_count")), output=tokens_of(body.get("eval_count"))),
        finish_reason=finish,
        finish_reason_given=given if given != finish else None,
        model=text_of(body.get("model")),
        error=error_in(body),
        created=body.get("created_at"),
        latency_ms=took / 1e6 if took is not None else None,
        attributes=without(body, _ANSWERED),
    )


def fold_events(events: list[Json]) -> Json:
    """The last line holds the counts, the others a piece of the text each."""
    whole: Json = {}
    said: dict[str, list[str]] = {"content": [], "thinking": [], "response": []}
    calls: list[Any] = []
    for event in events:
        whole |= event
        message = object_in(event.get("message"))
        for key, pieces in said.items():
            pieces.append(string_in((event if key == "response" else message).get(key)))
        said["thinking"].append(string_in(event.get("thinking")))
        calls += objects_in(message.get("tool_calls"))
    texts = {key: "".join(pieces) for key, pieces in said.items()}
    if "response" in whole and "message" not in whole:
        return {**whole, "response": texts["response"], "thinking": texts["thinking"]}
    message = {"role": "assistant", "content": texts["content"], "thinking": texts["thinking"]}
    return {**whole, "message": {**message, "tool_calls": calls} if calls else message}


def _assistant(message: Json, issues: set[Issue]) -> Message:
    said: list[Part] = []
    thought, text = string_in(message.get("thinking")), _text(message)
    if thought:
        said.append(parts.reasoning_part(thought))
    if text:
        said.append(parts.text_part(text))
    ids = CallNames()
    calls = []
    for call in objects_in(message.get("tool_calls")):
        function = object_in(call.get("function"))
        name, identity = function.get("name"), ids.id_of(call.get("id"), function.get("name"))
        calls.append(parts.tool_call(identity, name, function.get("arguments"), issues))
    return parts.assistant(said, calls)


def _text(message: Json) -> str:
    content = message.get("content")
    return "" if content is None else as_text(content)


def _with_images(message: Json, text: str) -> str | list[Part]:
    """Images come as bare base64 beside the text, their kind unsaid."""
    made = [parts.text_part(text)] if text else []
    images = message.get("images")
    for data in images if isinstance(images, list) else ():
        if isinstance(data, str):
            made.append(parts.image_part(parts.data_url("image/*", data)))
    return parts.content_of(made) or ""
