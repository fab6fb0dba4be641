"""Requests to providers that are no model calls: embeddings, files, protocol messages. Shown, not counted."""

from __future__ import annotations

from typing import Any

from slmhub.formats import parts
from slmhub.formats.exchanges.envelope import Call
from slmhub.formats.exchanges.http_messages import Exchange
from slmhub.formats.fields import (
    EMPTY,
    Json,
    as_text,
    either,
    first_in,
    object_in,
    objects_in,
    text_of,
    tokens_of,
)
from slmhub.formats.providers import Answered, Asked
from slmhub.formats.providers.bodies import error_in
from slmhub.formats.records import Message, SpanKind, Usage

_VECTOR_KEYS = ("embedding", "embeddings", "embeddingsByType")
_INPUT_KEYS = ("input", "inputText", "texts", "content", "prompt", "requests")
_EMBEDDING_PATHS = ("/embeddings", "/api/embed", ":embedContent", ":batchEmbedContents")
_FORMAT = "pairs"
_RPC_TOOL = "tools/call"


def is_embedding(exchange: Exchange) -> bool:
    if exchange.url.endswith(_EMBEDDING_PATHS):
        return True
    response = object_in(exchange.response)
    return _vectors_in(response) > 0 or (
        exchange.hinted is None and "embed" in (text_of(object_in(exchange.request).get("model")) or "")
    )


def call_of_other(exchange: Exchange) -> Call:
    """An embedding, a tool's run over JSON-RPC, or a span of no known kind with both bodies as text."""
    request, response = object_in(exchange.request), object_in(exchange.response)
    if is_embedding(exchange):
        return _embedding(exchange, request, response)
    if request.get("method") == _RPC_TOOL and "jsonrpc" in request:
        return _tool_run(exchange, request, response)
    operation = f"{exchange.method} {exchange.url}".strip() or text_of(request.get("method")) or "request"
    return _call(
        exchange,
        kind=SpanKind.OTHER,
        operation=operation,
        asked=Asked(messages=_as_messages(exchange.request)),
        answered=Answered(output=_as_answer(exchange.response), error=_failure(exchange)),
    )


def _call(exchange: Exchange, **fields: Any) -> Call:
    return Call(format=_FORMAT, address=exchange.address, emitter=exchange.emitter, **fields)


def _failure(exchange: Exchange) -> str | None:
    return error_in(exchange.response) or exchange.failure()


def _embedding(exchange: Exchange, request: Json, response: Json) -> Call:
    usage = object_in(response.get("usage"))
    counted = either({**response, **usage}, "prompt_tokens", "prompt_eval_count", "inputTextTokenCount")
    kept = {key: value for key, value in request.items() if key not in (*_INPUT_KEYS, "model")}
    return _call(
        exchange,
        kind=SpanKind.EMBEDDING,
        operation="embeddings",
        asked=Asked(
            messages=_texts_of(next((request[key] for key in _INPUT_KEYS if key in request), None)),
            parameters=kept,
            model=text_of(request.get("model")) or exchange.model,
        ),
        answered=Answered(
            usage=Usage(input=tokens_of(counted)),
            model=text_of(response.get("model")),
            error=_failure(exchange),
            attributes={"vectors": _vectors_in(response) or None},
        ),
    )


def _texts_of(given: Any) -> list[Message]:
    if given is None:
        return []
    texts = given if isinstance(given, list) and not all(isinstance(item, int) for item in given) else [given]
    return [{"role": "user", "content": _text_in(text)} for text in texts]


def _text_in(text: Any) -> str:
    """Google nests the text in a content of parts."""
    if isinstance(text, dict):
        content = object_in(text.get("content")) or text
        nested = text_of(first_in(content.get("parts")).get("text"))
        return nested or as_text(text)
    return as_text(text)


def _vectors_in(response: Json) -> int:
    listed = objects_in(response.get("data"))
    if any("embedding" in item for item in listed):
        return len(listed)
    found = either(response, *_VECTOR_KEYS)
    if isinstance(found, dict):
        return 1
    if not isinstance(found, list) or not found:
        return 0
    return len(found) if isinstance(found[0], list | dict) else 1


def _tool_run(exchange: Exchange, request: Json, response: Json) -> Call:
    params = object_in(request.get("params"))
    name, identity = text_of(params.get("name")) or "tool", text_of(request.get("id")) or ""
    run = parts.tool_call(identity, name, params.get("arguments"), set())
    result = response.get("result")
    return _call(
        exchange,
        kind=SpanKind.TOOL,
        operation=name,
        asked=Asked(messages=[parts.assistant([], [run])]),
        answered=Answered(
            output=None if result is None else parts.tool_result(identity, result, name),
            error=_failure(exchange),
        ),
    )


def _as_messages(body: Any) -> list[Message]:
    return [{"role": "user", "content": as_text(body)}] if body not in EMPTY else []


def _as_answer(body: Any) -> Message | None:
    return parts.assistant([parts.text_part(as_text(body))]) if body not in EMPTY else None
