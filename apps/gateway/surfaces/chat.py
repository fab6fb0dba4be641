"""OpenAI's chat completions: what backends speak too, so that requests and streams pass as they are."""

from __future__ import annotations

from typing import Any

from apps.gateway.refusals import Refusal
from apps.gateway.surfaces.surface import Asked, Json, Relay
from slmhub.formats.foreign_json import NotJsonError, decode

PATH = "/v1/chat/completions"


def parse(body: bytes) -> Asked:
    try:
        received: Any = decode(body)
    except NotJsonError as error:
        raise Refusal(400, f"The body {error}.") from None
    messages = received.get("messages") if isinstance(received, dict) else None
    if not isinstance(messages, list) or not all(isinstance(message, dict) for message in messages):
        raise Refusal(400, "The body must be an object with a list `messages` of objects.")
    tools = received.get("tools") or []
    if not isinstance(tools, list) or not all(isinstance(tool, dict) for tool in tools):
        raise Refusal(400, "`tools` must be a list of objects.")
    if not isinstance(received.get("stream_options") or {}, dict):
        raise Refusal(400, "`stream_options` must be an object.")
    return Asked(received=received, request=received)


def render(response: Json) -> Json:
    return response


def relay(request: Json) -> Relay:
    return _as_it_is


def _as_it_is(piece: bytes) -> bytes:
    return piece


def refusal(refused: Refusal) -> Json:
    return {"error": {"message": refused.message, "type": refused.code, "code": refused.code}}
