"""The little HTTP that a raw ASGI application needs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import orjson

from apps.gateway.answers import Refusal

LARGEST_BODY = 16 * 1024**2
# A caller reads the refusal only after it has sent its body; beyond this the connection is cut.
LARGEST_DISCARDED = 4 * LARGEST_BODY

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
Headers = Sequence[tuple[bytes, bytes]]


def header(scope: Scope, name: bytes) -> str:
    return next((value.decode("latin-1") for key, value in scope["headers"] if key == name), "")


async def read_body(receive: Receive) -> bytes:
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Refusal(400, "The caller left before the body was complete.")
        body += message.get("body", b"")
        if len(body) > LARGEST_BODY:
            await _discard_rest(receive, bool(message.get("more_body")))
            raise Refusal(413, f"The body is larger than {LARGEST_BODY // 1024**2} MiB.", "too_large")
        if not message.get("more_body"):
            return bytes(body)


async def _discard_rest(receive: Receive, more: bool) -> None:
    discarded = 0
    while more and discarded < LARGEST_DISCARDED:
        message = await receive()
        discarded += len(message.get("body", b""))
        more = message["type"] == "http.request" and bool(message.get("more_body"))


async def send_start(send: Send, status: int, content_type: bytes, headers: Headers = ()) -> None:
    fields = [(b"content-type", content_type), (b"cache-control", b"no-store"), *headers]
    await send({"type": "http.response.start", "status": status, "headers": fields})


async def send_bytes(send: Send, body: bytes, *, more: bool) -> None:
    await send({"type": "http.response.body", "body": body, "more_body": more})


async def send_json(send: Send, status: int, body: Any, headers: Headers = ()) -> None:
    encoded = orjson.dumps(body)
    length = (b"content-length", str(len(encoded)).encode())
    await send_start(send, status, b"application/json", [length, *headers])
    await send_bytes(send, encoded, more=False)
