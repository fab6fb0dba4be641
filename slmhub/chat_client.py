"""The one client of servers that speak OpenAI's chat completions: teachers, specialists, who is tried out.

It never follows a redirect: that would carry the key to a host that nobody typed.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Self

import aiohttp
import orjson

# What is reused must not be closed by the other side meanwhile; uvicorn closes after 75 s at most.
KEEP_ALIVE_S = 60


class UnreachableError(Exception):
    """No answer, or the beginning of one. The message is the name of what went wrong."""


class TimedOutError(UnreachableError):
    """Something may listen, but it takes too long."""


class NobodyThereError(UnreachableError):
    """Nothing listens at this address, or its name is unknown."""


class AnswerTooLongError(Exception):
    """More came than was asked for."""


@dataclass(frozen=True)
class Endpoint:
    """`base_url` is what `/chat/completions` and `/models` are appended to."""

    base_url: str
    key: str = ""

    @property
    def headers(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.key}"} if self.key else {}


@dataclass(frozen=True)
class Patience:
    """How long an answer may take in all, and the connection until it stands."""

    total_s: float
    connect_s: float | None = None


class Response:
    """An answer; `async with` asks for it, and inside the block its head is there."""

    status: int
    content_type: str

    def __init__(self, asking: AbstractAsyncContextManager[aiohttp.ClientResponse]) -> None:
        self._asking = asking

    async def __aenter__(self) -> Self:
        """Raises UnreachableError."""
        try:
            self._response = await self._asking.__aenter__()
        except _BROKEN as error:
            raise _in_our_words(error) from error
        self.status, self.content_type = self._response.status, self._response.content_type
        return self

    async def __aexit__(self, *exception: Any) -> None:
        await self._asking.__aexit__(*exception)

    async def read(self, most: int | None = None) -> bytes:
        """All of it. Raises UnreachableError when it breaks off, AnswerTooLongError beyond `most` bytes."""
        if most is not None:
            return await self._at_most(most)
        try:
            return await self._response.read()
        except _BROKEN as error:
            raise _in_our_words(error) from error

    async def _at_most(self, most: int) -> bytes:
        body = bytearray()
        async for chunk in self.chunks():
            body += chunk
            if len(body) > most:
                raise AnswerTooLongError(f"more than {most:,} bytes")
        return bytes(body)

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body as it comes. Raises UnreachableError when it breaks off."""
        try:
            async for chunk in self._response.content.iter_any():
                yield chunk
        except _BROKEN as error:
            raise _in_our_words(error) from error


class ChatClient:
    """Keeps its connections open; belongs to the event loop in which it is opened."""

    _session: aiohttp.ClientSession | None = None

    def open(self) -> None:
        connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEP_ALIVE_S)
        # Answers pass through the gateway as they are, so nobody is asked to compress them.
        self._session = aiohttp.ClientSession(connector=connector, headers={"accept-encoding": "identity"})

    @property
    def is_open(self) -> bool:
        return self._session is not None

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    async def __aenter__(self) -> Self:
        self.open()
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.close()

    def complete(self, endpoint: Endpoint, request: Mapping[str, Any], patience: Patience) -> Response:
        """POST /chat/completions."""
        headers = {**endpoint.headers, "content-type": "application/json"}
        return self._ask(
            "POST", f"{endpoint.base_url}/chat/completions", headers, patience, orjson.dumps(request)
        )

    def models(self, endpoint: Endpoint, patience: Patience) -> Response:
        """GET /models."""
        return self._ask("GET", f"{endpoint.base_url}/models", endpoint.headers, patience)

    def _ask(
        self, method: str, url: str, headers: dict[str, str], patience: Patience, body: bytes | None = None
    ) -> Response:
        if self._session is None:
            raise RuntimeError("the client has not been opened")
        timeout = aiohttp.ClientTimeout(total=patience.total_s, sock_connect=patience.connect_s)
        return Response(
            self._session.request(
                method, url, data=body, headers=headers, timeout=timeout, allow_redirects=False
            )
        )


_BROKEN = (aiohttp.ClientError, TimeoutError, OSError)


def _in_our_words(error: Exception) -> UnreachableError:
    name = type(error).__name__
    if isinstance(error, TimeoutError):
        return TimedOutError(name)
    return (
        NobodyThereError(name) if isinstance(error, aiohttp.ClientConnectorError) else UnreachableError(name)
    )
