"""Cuts a long PATCH of an upload into small ones.

Django reads a whole body, into a file in clear when it is long, before any view sees it. In slices the bytes
are sealed and synced while the next ones are under way, and a line that breaks loses none that had come.
"""

from __future__ import annotations

import asyncio
from typing import Any

# Below FILE_UPLOAD_MAX_MEMORY_SIZE, so that Django keeps a slice in memory.
SLICE = 2 * 1024 * 1024
_GONE_ON = 204


class SliceAppends:
    """ASGI middleware for requests that carry `Upload-Offset`."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        offset = _offset(scope)
        if offset is None:
            await self.app(scope, receive, send)
            return
        body = _Body(receive)
        while True:
            slice_, is_last = await body.next()
            answer = await self._append(scope, offset, slice_)
            offset += len(slice_)
            if body.is_broken:
                return
            if is_last or answer[0]["status"] != _GONE_ON:
                for message in answer:
                    await send(message)
                return

    async def _append(self, scope: dict[str, Any], offset: int, slice_: bytes) -> list[dict[str, Any]]:
        """What Django answers to one slice."""
        sent = False
        answer: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            nonlocal sent
            if sent:
                # Django now watches for the client to leave; `_Body` does that.
                await asyncio.Event().wait()
            sent = True
            return {"type": "http.request", "body": slice_, "more_body": False}

        async def send(message: dict[str, Any]) -> None:
            answer.append(message)

        await self.app(_scope_of(scope, offset, len(slice_)), receive, send)
        return answer


class _Body:
    def __init__(self, receive: Any) -> None:
        self._receive = receive
        self._held = bytearray()
        self._more = True
        self.is_broken = False

    async def next(self) -> tuple[bytes, bool]:
        """The next slice, and whether it is the last one."""
        while self._more and len(self._held) < SLICE:
            message = await self._receive()
            self.is_broken = message["type"] == "http.disconnect"
            self._held += message.get("body", b"")
            self._more = not self.is_broken and message.get("more_body", False)
        slice_ = bytes(self._held[:SLICE])
        del self._held[:SLICE]
        return slice_, not self._more and not self._held


def _offset(scope: dict[str, Any]) -> int | None:
    if scope["type"] != "http" or scope["method"] != "PATCH":
        return None
    value = dict(scope["headers"]).get(b"upload-offset", b"")
    return int(value) if value.isdigit() and len(value) <= 18 else None


def _scope_of(scope: dict[str, Any], offset: int, length: int) -> dict[str, Any]:
    own = {b"upload-offset", b"content-length", b"transfer-encoding"}
    headers = [pair for pair in scope["headers"] if pair[0] not in own]
    headers += [(b"upload-offset", str(offset).encode()), (b"content-length", str(length).encode())]
    return {**scope, "headers": headers}
