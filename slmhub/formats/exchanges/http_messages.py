"""The HTTP messages around a request and its response, taken off; headers are not kept: they hold keys."""

from __future__ import annotations

import re
from typing import Any, TypeGuard
from urllib.parse import unquote, urlsplit

import msgspec

from slmhub.formats.fields import (
    Json,
    as_text,
    json_or_text,
    object_in,
    objects_in,
    string_in,
    text_of,
    tokens_of,
)
from slmhub.formats.providers import (
    Provider,
    anthropic,
    bedrock_converse,
    bedrock_invoke,
    events_of,
    gemini,
    is_stream,
    ollama,
    openai_chat,
    openai_completions,
    openai_responses,
    stream_of,
)
from slmhub.formats.providers.names import provider_of

_MAX_URL = 500
_MAX_FAILURE = 500
_ENVELOPE_KEYS = frozenset({"method", "uri", "url", "headers", "status", "status_code"})
_SPOKEN_AT: tuple[tuple[re.Pattern[str], Provider], ...] = (
    (re.compile(r"/model/(?P<model>[^/]+)/converse(-stream)?$"), bedrock_converse),
    (re.compile(r"/model/(?P<model>[^/]+)/invoke(-with-response-stream)?$"), bedrock_invoke),
    (re.compile(r"/(models|endpoints)/(?P<model>[^/:]+):(stream)?generateContent$", re.I), gemini),
    (re.compile(r"/anthropic/models/(?P<model>[^/:]+):(stream)?rawPredict$", re.I), anthropic),
    (re.compile(r"/deployments/(?P<model>[^/]+)/chat/completions$"), openai_chat),
    (re.compile(r"/deployments/(?P<model>[^/]+)/completions$"), openai_completions),
    (re.compile(r"/chat/completions$"), openai_chat),
    (re.compile(r"/completions$"), openai_completions),
    (re.compile(r"/responses$"), openai_responses),
    (re.compile(r"/messages$"), anthropic),
    (re.compile(r"/api/(chat|generate)$"), ollama),
)
_LOCAL = frozenset({"127.0.0.1", "localhost", "::1", "0.0.0.0"})  # noqa: S104 - compared, not bound


class Exchange(msgspec.Struct, kw_only=True):
    """The bodies, decoded, and what the messages around them tell; `url` comes without its query: keys."""

    request: Any = None
    response: Any = None
    method: str = ""
    url: str = ""
    status: int | None = None
    hinted: Provider | None = None
    streamed_by: Provider | None = None
    model: str | None = None
    address: str | None = None
    emitter: str = ""
    streamed: bool = False

    def failure(self) -> str | None:
        """What a status of 400 or more says; None for any other."""
        if self.status is None or self.status < 400:
            return None
        body = self.response if isinstance(self.response, dict) else {}
        text = text_of(body.get("message")) or text_of(body.get("Message")) or text_of(body.get("detail"))
        return text or f"HTTP {self.status}: {as_text(self.response or '')[:_MAX_FAILURE]}".rstrip(": ")


def exchange_of(row: Json) -> Exchange:
    """The exchange that a row with `request` and `response` logs."""
    request, response = row.get("request"), row.get("response")
    exchange = Exchange(request=request, response=response)
    if _is_envelope(request):
        _unwrap_request(exchange, request)
    if _is_envelope(response):
        exchange.response = response.get("body")
        status = response.get("status", response.get("status_code"))
        exchange.status = tokens_of(status.get("code") if isinstance(status, dict) else status)
    exchange.request = _decoded(exchange.request)
    exchange.response = body = _decoded(exchange.response)

    # A stream comes as its text, as a list of its events, or under `stream`.
    events: list[Json] = []
    if isinstance(body, str) and (is_stream(body) or body.lstrip().startswith("{")):
        events = events_of(body.encode(errors="replace"))
    elif isinstance(body, list):
        events = objects_in(body)
    elif isinstance(body, dict) and isinstance(body.get("stream"), list) and len(body) == 1:
        events = objects_in(body["stream"])
    if events and "error" not in events[0]:
        # Events of InvokeModel are each model's own: only the address tells whose they are.
        streamed_by = bedrock_invoke if exchange.hinted is bedrock_invoke else stream_of(events)
        if streamed_by is not None:
            exchange.streamed_by, exchange.streamed = streamed_by, True
            exchange.response = streamed_by.fold_events(events)
    return exchange


def _is_envelope(value: Any) -> TypeGuard[Json]:
    return isinstance(value, dict) and "body" in value and not _ENVELOPE_KEYS.isdisjoint(value)


def _unwrap_request(exchange: Exchange, request: Json) -> None:
    exchange.request = request.get("body")
    exchange.method = (text_of(request.get("method")) or "").upper()
    address = string_in(request.get("uri")) or string_in(request.get("url"))
    try:
        split = urlsplit(address)
        host, path = split.hostname or "", split.path
    except ValueError:
        return
    exchange.url = f"{split.scheme}://{host}{path}"[:_MAX_URL] if host else path[:_MAX_URL]
    for name, value in object_in(request.get("headers")).items():
        if name.lower() == "user-agent":
            exchange.emitter = text_of(value[0] if isinstance(value, list) and value else value) or ""
            break
    for pattern, provider in _SPOKEN_AT:
        if found := pattern.search(path):
            exchange.hinted = provider
            exchange.model = unquote(found.groupdict().get("model") or "") or None
            break
    # `api.groq.com` is groq's; a machine of one's own, or a host that nobody knows, tells nothing.
    owner = provider_of(host)
    if owner and "." not in owner and host not in _LOCAL:
        exchange.address = owner


def _decoded(body: Any) -> Any:
    """Recorders write a body as an object, as its text, or as `{string: text}`."""
    if isinstance(body, dict) and set(body) == {"string"}:
        body = body["string"]
    return json_or_text(body)
