"""An OpenAI-compatible server that answers like the demo's LLM. A simulation: every reply says so."""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from collections.abc import Iterator, Sequence
from typing import Any

from aiohttp import web

from slmhub.demo.answering import answer
from slmhub.demo.log import MODEL, usage_of
from slmhub.demo.messages import Message, digest, dumps

FINGERPRINT = "simulated-teacher"
SIMULATED_HEADER = "x-slmhub-simulated"
_LARGEST_BODY = 4 * 2**20
_PIECE = 12

_ERROR_RATE = web.AppKey("error_rate", float)
_LATENCY = web.AppKey("latency", float)


class RefusedRequestError(Exception):
    """The body is not a chat-completions request; the message says why."""


def make_app(*, error_rate: float = 0.01, latency: float = 0.2) -> web.Application:
    """`error_rate`: share of prompts answered wrong; `latency`: seconds before the first byte."""
    app = web.Application(client_max_size=_LARGEST_BODY, middlewares=[_label])
    app[_ERROR_RATE] = error_rate
    app[_LATENCY] = latency
    app.add_routes(
        [
            web.post("/v1/chat/completions", _complete),
            web.get("/v1/models", _models),
            web.get("/healthz", _health),
        ]
    )
    return app


@web.middleware
async def _label(request: web.Request, handler: Any) -> web.StreamResponse:
    try:
        response: web.StreamResponse = await handler(request)
    except RefusedRequestError as refusal:
        error = {"message": str(refusal), "type": "invalid_request_error", "param": None, "code": None}
        response = web.json_response({"error": error}, status=400)
    if not response.prepared:
        response.headers[SIMULATED_HEADER] = "true"
    return response


async def _health(request: web.Request) -> web.Response:
    return web.json_response({"status": "ok", "simulated": True})


async def _models(request: web.Request) -> web.Response:
    model = {"id": MODEL, "object": "model", "created": 0, "owned_by": FINGERPRINT}
    return web.json_response({"object": "list", "data": [model]})


async def _complete(request: web.Request) -> web.StreamResponse:
    body = await _body(request)
    messages: list[Message] = body["messages"]
    given = answer(messages, request.app[_ERROR_RATE])
    name = digest(messages)[:24]
    message = given.message(name)
    head = {
        "id": f"chatcmpl-sim-{name}",
        "created": int(time.time()),
        "model": str(body.get("model") or MODEL),
        "system_fingerprint": FINGERPRINT,
    }
    usage = usage_of(body, message)
    await asyncio.sleep(request.app[_LATENCY])
    if body.get("stream"):
        wants_usage = bool((body.get("stream_options") or {}).get("include_usage"))
        chunks = _chunks(head, message, given.finish_reason, usage if wants_usage else None)
        return await _stream(request, chunks)
    choice = {"index": 0, "message": message, "finish_reason": given.finish_reason}
    return web.json_response(head | {"object": "chat.completion", "choices": [choice], "usage": usage})


async def _body(request: web.Request) -> dict[str, Any]:
    try:
        body = json.loads(await request.read())
    except (ValueError, RecursionError) as error:
        raise RefusedRequestError("The body is not JSON.") from error
    if not isinstance(body, dict):
        raise RefusedRequestError("The body must be an object.")
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        raise RefusedRequestError("'messages' must be a list with at least one message.")
    if not all(isinstance(message, dict) for message in messages):
        raise RefusedRequestError("Every message must be an object.")
    options = body.get("stream_options")
    if options is not None and not isinstance(options, dict):
        raise RefusedRequestError("'stream_options' must be an object.")
    return body


async def _stream(request: web.Request, chunks: Iterator[dict[str, Any]]) -> web.StreamResponse:
    headers = {"content-type": "text/event-stream", "cache-control": "no-cache", SIMULATED_HEADER: "true"}
    response = web.StreamResponse(headers=headers)
    await response.prepare(request)
    for chunk in chunks:
        await response.write(f"data: {dumps(chunk)}\n\n".encode())
    await response.write(b"data: [DONE]\n\n")
    await response.write_eof()
    return response


def _chunks(
    head: dict[str, Any], message: Message, finish_reason: str, usage: dict[str, int] | None
) -> Iterator[dict[str, Any]]:
    deltas: list[dict[str, Any]] = [{"role": "assistant"}]
    for index, call in enumerate(message.get("tool_calls") or []):
        opening = call | {"index": index, "function": call["function"] | {"arguments": ""}}
        deltas.append({"tool_calls": [opening]})
        for piece in _pieces(call["function"]["arguments"]):
            deltas.append({"tool_calls": [{"index": index, "function": {"arguments": piece}}]})
    deltas += [{"content": piece} for piece in _pieces(message["content"] or "")]

    head = head | {"object": "chat.completion.chunk"}
    for delta in deltas:
        yield head | {"choices": [{"index": 0, "delta": delta, "finish_reason": None}]}
    yield head | {"choices": [{"index": 0, "delta": {}, "finish_reason": finish_reason}]}
    if usage is not None:
        yield head | {"choices": [], "usage": usage}


def _pieces(text: str) -> Iterator[str]:
    return (text[i : i + _PIECE] for i in range(0, len(text), _PIECE))


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="slmhub.demo.teacher", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8099)
    parser.add_argument("--error-rate", type=float, default=0.01)
    parser.add_argument("--latency", type=float, default=0.2, help="seconds")
    options = parser.parse_args(argv)
    app = make_app(error_rate=options.error_rate, latency=options.latency)
    web.run_app(app, host=options.host, port=options.port, print=None, access_log=None)


if __name__ == "__main__":
    main()
