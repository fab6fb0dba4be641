"""The little HTTP that a raw ASGI application needs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import orjson

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
Headers = Sequence[tuple[bytes, bytes]]


def header(scope: Scope, name: bytes) -> str:
    return next((value.decode("latin-1") for key, value in scope["headers"] if key == name), "")


async def discard_rest(receive: Receive, *, more: bool, most: int) -> None:
    """Reads what a caller still sends, so that it gets to read the refusal; gives up after `most` bytes."""
    discarded = 0
    while more and discarded < most:
        message = await receive()
        discarded += len(message.get("body", b""))
        more = message["type"] == "http.request" and bool(message.get("more_body"))


async def send_start(send: Send, status: int, content_type: bytes, headers: Headers = ()) -> None:
    fields = [(b"content-type", content_type), (b"cache-control", b"no-store"), *headers]
    await send({"type": "http.response.start", "status": status, "headers": fields})


async def send_bytes(send: Send, body: bytes, *, more: bool) -> None:
    await send({"type": "http.response.body", "body": body, "more_body": more})


async def send_whole(
    send: Send, status: int, content_type: bytes, body: bytes, *, headers: Headers = ()
) -> None:
    length = (b"content-length", str(len(body)).encode())
    await send_start(send, status, content_type, [length, *headers])
    await send_bytes(send, body, more=False)


async def send_json(send: Send, status: int, body: Any, headers: Headers = ()) -> None:
    await send_whole(send, status, b"application/json", orjson.dumps(body), headers=headers)
