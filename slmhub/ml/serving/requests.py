"""The body of a chat completion request, checked by hand: every refusal names the field. Imports no torch."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

MOST_STOPS = 8
ROLES = ("system", "developer", "user", "assistant", "tool", "function")


class InvalidRequestError(Exception):
    """The body is not a chat completion request; the message says which field."""


@dataclass(frozen=True)
class ChatRequest:
    model: str
    messages: list[dict[str, Any]]
    tools: list[dict[str, Any]]
    max_tokens: int | None
    temperature: float
    seed: int | None
    stop: tuple[str, ...]
    stream: bool
    include_usage: bool


def read_chat_request(body: bytes) -> ChatRequest:
    """Raises InvalidRequestError."""
    try:
        raw = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise InvalidRequestError(f"The body is not JSON: {error}") from None
    if not isinstance(raw, dict):
        raise InvalidRequestError("The body must be a JSON object.")
    if not isinstance(raw.get("model"), str):
        raise InvalidRequestError("'model' must be a string.")
    if raw.get("n") not in (None, 1):
        raise InvalidRequestError("'n' other than 1 is not supported.")
    most = raw.get("max_completion_tokens", raw.get("max_tokens"))
    return ChatRequest(
        model=raw["model"],
        messages=_messages(raw.get("messages")),
        tools=_objects(raw.get("tools") or [], "tools"),
        max_tokens=None if most is None else _integer(most, "max_tokens", least=1),
        temperature=_temperature(raw.get("temperature")),
        seed=None if raw.get("seed") is None else _integer(raw["seed"], "seed", least=-(2**63)),
        stop=_stops(raw.get("stop")),
        stream=bool(raw.get("stream")),
        include_usage=_includes_usage(raw.get("stream_options")),
    )


def _objects(value: object, name: str) -> list[dict[str, Any]]:
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        raise InvalidRequestError(f"'{name}' must be a list of objects.")
    return value


def _messages(value: object) -> list[dict[str, Any]]:
    messages = _objects(value, "messages")
    if not messages:
        raise InvalidRequestError("'messages' must not be empty.")
    for at, message in enumerate(messages):
        if message.get("role") not in ROLES:
            raise InvalidRequestError(f"'messages[{at}].role' must be one of {', '.join(ROLES)}.")
        if not isinstance(message.get("content"), str | list | None):
            raise InvalidRequestError(f"'messages[{at}].content' must be a string, a list of parts or null.")
        calls = _objects(message.get("tool_calls") or [], f"messages[{at}].tool_calls")
        if not all(isinstance(call.get("function"), Mapping) for call in calls):
            raise InvalidRequestError(f"'messages[{at}].tool_calls' must hold a function each.")
    return messages


def _integer(value: object, name: str, *, least: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value < 2**63:
        raise InvalidRequestError(f"'{name}' must be an integer of at least {least}.")
    return value


def _temperature(value: object) -> float:
    if value is None:
        return 0.0
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 2:
        raise InvalidRequestError("'temperature' must be a number from 0 to 2.")
    return float(value)


def _stops(value: object) -> tuple[str, ...]:
    stops = [value] if isinstance(value, str) else value
    if stops is None:
        return ()
    if (
        not isinstance(stops, list)
        or len(stops) > MOST_STOPS
        or not all(isinstance(one, str) for one in stops)
    ):
        raise InvalidRequestError(f"'stop' must be a string or a list of at most {MOST_STOPS} strings.")
    return tuple(stop for stop in stops if stop)


def _includes_usage(value: object) -> bool:
    return isinstance(value, Mapping) and bool(value.get("include_usage"))
