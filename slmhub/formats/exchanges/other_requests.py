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
from slmhub.formats.records import SpanKind, Usage

_VECTOR_KEYS = ("embedding", "embeddings", "embeddingsByType")
_INPUT_KEYS = ("input", "inputText", "texts", "content", "prompt", "requests")
_EMBEDDING_PATHS = ("/embeddings", "/api/embed", ":embedContent", ":batchEmbedContents")
_FORMAT = "pairs"
_RPC_TOOL = "tools/call"


def is_embedding(exchange: Exchange) -> bool:
    if exchange.url.endswith(_EMBEDDING_PATHS) or _vectors_in(object_in(exchange.response)) > 0:
        return True
    model = text_of(object_in(exchange.request).get("model")) or ""
    return exchange.hinted is None and "embed" in model


def call_of_other(exchange: Exchange) -> Call:
    """An embedding, a tool's run over JSON-RPC, or a span of no known kind with both bodies as text."""
    request, response = object_in(exchange.request), object_in(exchange.response)
    failure = error_in(exchange.response) or exchange.failure()
    if is_embedding(exchange):
        kind, operation = SpanKind.EMBEDDING, "embeddings"
        asked, answered = _embedding(exchange, request, response)
    elif request.get("method") == _RPC_TOOL and "jsonrpc" in request:
        params = object_in(request.get("params"))
        kind, operation = SpanKind.TOOL, text_of(params.get("name")) or "tool"
        identity, result = text_of(request.get("id")) or "", response.get("result")
        run = parts.tool_call(identity, operation, params.get("arguments"), set())
        asked = Asked(messages=[parts.assistant([], [run])])
        answered = Answered(output=None if result is None else parts.tool_result(identity, result, operation))
    else:
        address = f"{exchange.method} {exchange.url}".strip()
        kind, operation = SpanKind.OTHER, address or text_of(request.get("method")) or "request"
        asked, answered = Asked(), Answered()
        if exchange.request not in EMPTY:
            asked.messages = [{"role": "user", "content": as_text(exchange.request)}]
        if exchange.response not in EMPTY:
            answered.output = parts.assistant([parts.text_part(as_text(exchange.response))])
    answered.error = failure
    return Call(
        format=_FORMAT,
        kind=kind,
        operation=operation,
        asked=asked,
        answered=answered,
        address=exchange.address,
        emitter=exchange.emitter,
    )


def _embedding(exchange: Exchange, request: Json, response: Json) -> tuple[Asked, Answered]:
    given = either(request, *_INPUT_KEYS)
    texts = given if isinstance(given, list) else [given]
    if all(isinstance(item, int) for item in texts):
        # One text as the numbers of its tokens.
        texts = [given]
    usage = object_in(response.get("usage"))
    counted = either({**response, **usage}, "prompt_tokens", "prompt_eval_count", "inputTextTokenCount")
    asked = Asked(
        messages=[{"role": "user", "content": _text_in(text)} for text in texts] if given is not None else [],
        parameters={key: value for key, value in request.items() if key not in (*_INPUT_KEYS, "model")},
        model=text_of(request.get("model")) or exchange.model,
    )
    answered = Answered(
        usage=Usage(input=tokens_of(counted)),
        model=text_of(response.get("model")),
        attributes={"vectors": _vectors_in(response) or None},
    )
    return asked, answered


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
