"""Folds a streamed OpenAI chat answer (server-sent events) into the response that it amounts to."""

from __future__ import annotations

from typing import Any

import orjson


def fold(stream: bytes) -> dict[str, Any]:
    """The chat completion that the chunks of `stream` add up to; lines that are not JSON are passed over."""
    response: dict[str, Any] = {}
    message: dict[str, Any] = {"role": "assistant", "content": None}
    finish_reason: str | None = None
    for chunk in _chunks(stream):
        response.update(
            {key: chunk[key] for key in ("id", "model", "created", "system_fingerprint") if key in chunk}
        )
        if isinstance(chunk.get("usage"), dict):
            response["usage"] = chunk["usage"]
        for choice in chunk.get("choices") or []:
            if choice.get("index", 0) == 0:
                _add_delta(message, choice.get("delta") or {})
                finish_reason = choice.get("finish_reason") or finish_reason
    choice = {"index": 0, "message": message, "finish_reason": finish_reason}
    return {"object": "chat.completion", **response, "choices": [choice]}


def _chunks(stream: bytes) -> list[dict[str, Any]]:
    chunks = []
    for line in stream.splitlines():
        if line.startswith(b"data:") and line[5:].strip() != b"[DONE]":
            try:
                chunk = orjson.loads(line[5:])
            except orjson.JSONDecodeError:
                continue
            if isinstance(chunk, dict):
                chunks.append(chunk)
    return chunks


def _add_delta(message: dict[str, Any], delta: dict[str, Any]) -> None:
    if isinstance(delta.get("content"), str):
        message["content"] = (message["content"] or "") + delta["content"]
    for part in delta.get("tool_calls") or []:
        calls = message.setdefault("tool_calls", [])
        index = part.get("index", 0)
        while len(calls) <= index:
            calls.append({"id": "", "type": "function", "function": {"name": "", "arguments": ""}})
        function = part.get("function") or {}
        calls[index]["id"] = part.get("id") or calls[index]["id"]
        calls[index]["function"]["name"] += function.get("name") or ""
        calls[index]["function"]["arguments"] += function.get("arguments") or ""


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
