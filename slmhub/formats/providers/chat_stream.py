"""Folds a streamed OpenAI chat answer (server-sent events) into the response that it amounts to."""

from __future__ import annotations

from typing import Any

import orjson

from slmhub.formats.fields import object_in, objects_in
from slmhub.formats.foreign_json import NotJsonError, decode

_CARRIED = ("id", "model", "created", "system_fingerprint", "service_tier", "error")
_TEXTS = ("content", "refusal", "reasoning_content", "reasoning")


def fold(stream: bytes) -> dict[str, Any]:
    """The chat completion that the chunks of `stream` add up to; what is no chunk is passed over."""
    return fold_chunks(chunks_of(stream))


def fold_chunks(chunks: list[dict[str, Any]]) -> dict[str, Any]:
    """The same for chunks that are decoded already."""
    response: dict[str, Any] = {}
    texts: dict[str, list[str]] = {}
    calls: dict[int, dict[str, Any]] = {}
    finish_reason: str | None = None
    for chunk in chunks:
        response.update({key: chunk[key] for key in _CARRIED if key in chunk})
        # Groq counts under a key of its own.
        usage = chunk.get("usage") or object_in(chunk.get("x_groq")).get("usage")
        if isinstance(usage, dict):
            response["usage"] = usage
        for choice in objects_in(chunk.get("choices")):
            if choice.get("index", 0) != 0:
                continue
            finish_reason = choice.get("finish_reason") or finish_reason
            delta = object_in(choice.get("delta"))
            for key in _TEXTS:
                if isinstance(delta.get(key), str):
                    texts.setdefault(key, []).append(delta[key])
            _add_calls(calls, delta.get("tool_calls"))
    message: dict[str, Any] = {"role": "assistant", "content": None}
    message.update({key: "".join(pieces) for key, pieces in texts.items()})
    if calls:
        message["tool_calls"] = []
        for call in calls.values():
            function = {key: "".join(call[key]) for key in ("name", "arguments")}
            message["tool_calls"].append({"id": call["id"], "type": "function", "function": function})
    choice = {"index": 0, "message": message, "finish_reason": finish_reason}
    return {"object": "chat.completion", **response, "choices": [choice]}


def _add_calls(calls: dict[int, dict[str, Any]], pieces: Any) -> None:
    """Adds the pieces of tool calls that one chunk brings to the calls that have begun."""
    for piece in objects_in(pieces):
        index = piece.get("index", 0)
        if not isinstance(index, int):
            continue
        call = calls.setdefault(index, {"id": "", "name": [], "arguments": []})
        if isinstance(piece.get("id"), str):
            call["id"] = piece["id"] or call["id"]
        function = object_in(piece.get("function"))
        for key in ("name", "arguments"):
            if isinstance(function.get(key), str):
                call[key].append(function[key])


def chunks_of(stream: bytes) -> list[dict[str, Any]]:
    """The objects in the lines of a stream; what is none is passed over, and `[DONE]` too."""
    chunks = []
    for line in stream.splitlines():
        if line.startswith(b"data:") and line[5:].strip() != b"[DONE]":
            try:
                chunk = decode(line[5:])
            except NotJsonError:
                continue
            if isinstance(chunk, dict):
                chunks.append(chunk)
    return chunks


def unfold(response: dict[str, Any], *, with_usage: bool = False) -> list[bytes]:
    """The server-sent events that stream `response`: one for the message, one for the end, and `[DONE]`."""
    head = {key: response.get(key) for key in ("id", "created", "model")}
    head["object"] = "chat.completion.chunk"
    choice = response["choices"][0]
    events = [
        {**head, "choices": [{"index": 0, "delta": _delta_of(choice["message"]), "finish_reason": None}]},
        {**head, "choices": [{"index": 0, "delta": {}, "finish_reason": choice.get("finish_reason")}]},
    ]
    if with_usage:
        events.append({**head, "choices": [], "usage": response.get("usage")})
    return [b"data: " + orjson.dumps(event) + b"\n\n" for event in events] + [b"data: [DONE]\n\n"]


def _delta_of(message: dict[str, Any]) -> dict[str, Any]:
    delta = {key: value for key, value in message.items() if key in ("role", "content", "tool_calls")}
    if delta.get("tool_calls"):
        delta["tool_calls"] = [{"index": i, **call} for i, call in enumerate(delta["tool_calls"])]
    return delta
