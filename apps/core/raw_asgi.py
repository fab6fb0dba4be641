"""The little HTTP that a raw ASGI application needs."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import orjson

from apps.core.errors import BodyTooLargeError, CallerLeftError, TooSlowError

# A body may be silent for so long, and take so long altogether.
SILENCE_S = 20.0
LONGEST_S = 120.0
# A caller reads the refusal only after it has sent its body; beyond so many times the limit it is cut off.
DISCARDED = 4

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
Headers = Sequence[tuple[bytes, bytes]]


def header(scope: Scope, name: bytes) -> str:
    return next((value.decode("latin-1") for key, value in scope["headers"] if key == name), "")


async def read_body(
    receive: Receive, *, most: int, announced: str = "", grow: Callable[[int], None] = lambda size: None
) -> bytes:
    """The body as it is sent; `announced` is its Content-Length, `grow` hears of each piece and may refuse.

    Raises BodyTooLargeError, CallerLeftError, TooSlowError, and what `grow` raises.
    """
    clock = asyncio.get_running_loop().time
    latest = clock() + LONGEST_S
    body = bytearray()
    more = True
    try:
        if announced.isdigit() and int(announced) > most:
            raise _too_large(most)
        async with asyncio.timeout(SILENCE_S) as limit:
            while more:
                message = await receive()
                if message["type"] == "http.disconnect":
                    more = False
                    raise CallerLeftError("The caller left before the body was complete.")
                chunk = message.get("body", b"")
                more = bool(message.get("more_body"))
                if more:
                    limit.reschedule(min(latest, clock() + SILENCE_S))
                grow(len(chunk))
                body += chunk
                if len(body) > most:
                    raise _too_large(most)
    except TimeoutError:
        raise TooSlowError("The body came too slowly.") from None
    except Exception:
        body.clear()
        await discard_rest(receive, more=more, most=DISCARDED * most)
        raise
    return bytes(body)


def _too_large(most: int) -> BodyTooLargeError:
    return BodyTooLargeError(f"The body is larger than {most // 1024**2} MiB.")


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
