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
        exchange.status = _status(response)
    exchange.request = _decoded(exchange.request)
    _fold_response(exchange)
    return exchange


def _is_envelope(value: Any) -> TypeGuard[Json]:
    return isinstance(value, dict) and "body" in value and not _ENVELOPE_KEYS.isdisjoint(value)


def _unwrap_request(exchange: Exchange, request: Json) -> None:
    address = string_in(request.get("uri")) or string_in(request.get("url"))
    exchange.request = request.get("body")
    exchange.method = (text_of(request.get("method")) or "").upper()
    try:
        split = urlsplit(address)
        host, path = split.hostname or "", split.path
    except ValueError:
        return
    exchange.url = f"{split.scheme}://{host}{path}"[:_MAX_URL] if host else path[:_MAX_URL]
    exchange.emitter = _header(request, "user-agent")
    for pattern, provider in _SPOKEN_AT:
        if found := pattern.search(path):
            exchange.hinted = provider
            exchange.model = unquote(found.groupdict().get("model") or "") or None
            break
    exchange.address = _provider_at(host)


def _provider_at(host: str) -> str | None:
    """The provider whose host it is: `api.groq.com` is groq's; a machine of one's own tells nothing."""
    named = provider_of(host)
    return named if host not in _LOCAL and named and "." not in named else None


def _header(message: Json, name: str) -> str:
    headers = object_in(message.get("headers"))
    found = next((value for key, value in headers.items() if key.lower() == name), "")
    found = found[0] if isinstance(found, list) and found else found
    return text_of(found) or ""


def _status(response: Json) -> int | None:
    given = response.get("status", response.get("status_code"))
    return tokens_of(object_in(given).get("code") if isinstance(given, dict) else given)


def _decoded(body: Any) -> Any:
    """Recorders write a body as an object, as its text, or as `{string: text}`."""
    if isinstance(body, dict) and set(body) == {"string"}:
        body = body["string"]
    return json_or_text(body)


def _fold_response(exchange: Exchange) -> None:
    body = _decoded(exchange.response)
    exchange.response = body
    events: list[Json] = []
    if isinstance(body, str) and (is_stream(body) or body.lstrip().startswith("{")):
        events = events_of(body.encode(errors="replace"))
    elif isinstance(body, list):
        events = objects_in(body)
    elif isinstance(body, dict) and isinstance(body.get("stream"), list) and len(body) == 1:
        events = objects_in(body["stream"])
    provider = _streaming(events, exchange)
    if provider is not None:
        exchange.streamed_by, exchange.streamed = provider, True
        exchange.response = provider.fold_events(events)


def _streaming(events: list[Json], exchange: Exchange) -> Provider | None:
    if not events or any("error" in event for event in events[:1]):
        return None
    return bedrock_invoke if exchange.hinted is bedrock_invoke else stream_of(events)
