"""The HTTP surface: OpenAI's chat completions over the engine."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from aiohttp import web

from slmhub.ml.basemodel import BaseModelMissingError
from slmhub.ml.prompt_formats.messages import PromptFormatError
from slmhub.ml.serving.catalogue import BadManifestError, Catalogue, ServedModel, UnknownModelError
from slmhub.ml.serving.engine import (
    Asked,
    ContextExceededError,
    Delta,
    Engine,
    Finished,
    OverloadedError,
    Ticket,
)
from slmhub.ml.serving.loading import CorruptModelError
from slmhub.ml.serving.requests import ChatRequest, InvalidRequestError, read_chat_request
from slmhub.ml.serving.responses import Completion, error_body

LARGEST_BODY = 8 * 1024 * 1024
CATALOGUE = web.AppKey("catalogue", Catalogue)
ENGINE = web.AppKey("engine", Engine)
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

# exception → (status, type, code); the exception's own words are the message.
REFUSALS: dict[type[Exception], tuple[int, str, str]] = {
    InvalidRequestError: (400, "invalid_request_error", "invalid_request"),
    PromptFormatError: (400, "invalid_request_error", "prompt_format"),
    ContextExceededError: (400, "invalid_request_error", "context_length_exceeded"),
    CorruptModelError: (409, "server_error", "model_corrupt"),
    BadManifestError: (409, "server_error", "model_corrupt"),
    BaseModelMissingError: (503, "server_error", "base_missing"),
    OverloadedError: (503, "server_error", "overloaded"),
}


def build_app(catalogue: Catalogue, engine: Engine) -> web.Application:
    app = web.Application(client_max_size=LARGEST_BODY, middlewares=[openai_errors])
    app[CATALOGUE] = catalogue
    app[ENGINE] = engine
    app.add_routes(
        [
            web.get("/healthz", health),
            web.get("/v1/models", list_models),
            web.get("/v1/models/{name}", show_model),
            web.post("/v1/chat/completions", complete_chat),
        ]
    )
    app.cleanup_ctx.append(_running_engine)
    return app


async def _running_engine(app: web.Application) -> AsyncIterator[None]:
    app[ENGINE].start()
    yield
    app[ENGINE].close()


@web.middleware
async def openai_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Every refusal in OpenAI's error shape."""
    try:
        return await handler(request)
    except UnknownModelError as error:
        message = f"The model '{error}' does not exist."
        body = error_body(message, kind="invalid_request_error", code="model_not_found")
        return web.json_response(body, status=404)
    except web.HTTPException as error:
        body = error_body(error.reason, kind="invalid_request_error", code=str(error.status))
        return web.json_response(body, status=error.status)
    except tuple(REFUSALS) as error:
        return _refusal(error)


def _refusal(error: Exception) -> web.Response:
    status, kind, code = REFUSALS.get(type(error), (500, "server_error", "internal_error"))
    message = str(error) if type(error) in REFUSALS and str(error) else f"The request failed: {code}."
    headers = {"Retry-After": "1"} if status == 503 else {}
    return web.json_response(error_body(message, kind=kind, code=code), status=status, headers=headers)


async def health(request: web.Request) -> web.Response:
    engine = request.app[ENGINE]
    body = {"status": "ok" if engine.alive else "dead", "loaded": engine.loaded_names()}
    return web.json_response(body, status=200 if engine.alive else 503)


async def list_models(request: web.Request) -> web.Response:
    models = [_model_row(model) for model in request.app[CATALOGUE].all()]
    return web.json_response({"object": "list", "data": models})


async def show_model(request: web.Request) -> web.Response:
    return web.json_response(_model_row(request.app[CATALOGUE].find(request.match_info["name"])))


def _model_row(model: ServedModel) -> dict[str, Any]:
    row = {"id": model.name, "object": "model", "created": model.created, "owned_by": "slmhub"}
    return row | {"kind": str(model.manifest.kind), "sha256": model.manifest.sha256}


async def complete_chat(request: web.Request) -> web.StreamResponse:
    chat = read_chat_request(await request.read())
    served = request.app[CATALOGUE].find(chat.model)
    ticket = request.app[ENGINE].submit(served, _asked(chat))
    try:
        first = await ticket.events.get()
        if isinstance(first, Exception):
            return _refusal(first)
        if chat.stream:
            return await _stream(request, Completion(chat), ticket, first)
        return web.json_response(Completion(chat).whole(await _until_finished(ticket, first)))
    finally:
        # A client that has gone away cancels this handler; its row stops at the next token.
        ticket.cancel()


def _asked(chat: ChatRequest) -> Asked:
    return Asked(
        messages=chat.messages,
        tools=chat.tools,
        max_tokens=chat.max_tokens,
        temperature=chat.temperature,
        seed=chat.seed,
        stop=chat.stop,
        streams=chat.stream,
    )


async def _until_finished(ticket: Ticket, event: Delta | Finished) -> Finished:
    while not isinstance(event, Finished):
        following = await ticket.events.get()
        if isinstance(following, Exception):
            raise following
        event = following
    return event


async def _stream(
    request: web.Request, answer: Completion, ticket: Ticket, event: Delta | Finished
) -> web.StreamResponse:
    """Server-sent events; a tool call comes whole, in the last of them."""
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-cache"})
    await response.prepare(request)
    await _send(response, answer.chunk({"role": "assistant", "content": ""}))
    sent = 0
    while isinstance(event, Delta):
        await _send(response, answer.chunk({"content": event.text}))
        sent += len(event.text)
        following = await ticket.events.get()
        if isinstance(following, Exception):
            await _send(response, error_body("Decoding failed.", kind="server_error", code="internal_error"))
            return response
        event = following
    for chunk in answer.last_chunks(event, sent=sent):
        await _send(response, chunk)
    await response.write(b"data: [DONE]\n\n")
    return response


async def _send(response: web.StreamResponse, body: dict[str, Any]) -> None:
    await response.write(b"data: " + json.dumps(body).encode() + b"\n\n")
