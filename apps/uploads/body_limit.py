"""Refuses bodies that are too large before Django writes them to disk."""

from __future__ import annotations

from typing import Any

import orjson
from django.conf import settings

from apps.core.errors import error_body
from apps.uploads.services import UploadTooLargeError

# Room for a form's other fields and the parts' headers.
OVERHEAD = 1024 * 1024


class LimitBody:
    """ASGI middleware: 413 by the announced length, or as soon as a body without one has grown too large."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        most = settings.LARGEST_UPLOAD + OVERHEAD
        announced = dict(scope["headers"]).get(b"content-length", b"0")
        if announced.isdigit() and int(announced) > most:
            await _refuse(send, int(announced))
            return
        received = 0

        async def counted() -> dict[str, Any]:
            nonlocal received
            message: dict[str, Any] = await receive()
            received += len(message.get("body", b""))
            # To the application a client that sends for ever has gone away.
            return message if received <= most else {"type": "http.disconnect"}

        await self.app(scope, counted, send)


async def _refuse(send: Any, size: int) -> None:
    error = UploadTooLargeError(size)
    body = orjson.dumps(error_body(type(error).__name__, error.message, error.hint))
    headers = [(b"content-type", b"application/json"), (b"connection", b"close")]
    headers.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": error.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
