"""The one client of servers that speak OpenAI's chat completions: teachers, specialists, who is tried out.

It never follows a redirect: that would carry the key to a host that nobody typed.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterator, Mapping
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
    """An answer whose head is there."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response
        self.status = response.status
        self.content_type = response.content_type

    async def read(self, most: int | None = None) -> bytes:
        """All of it. Raises UnreachableError when it breaks off, AnswerTooLongError beyond `most` bytes."""
        with _translated():
            if most is None:
                return await self._response.read()
            parts = bytearray()
            async for part in self._response.content.iter_any():
                parts += part
                if len(parts) > most:
                    raise AnswerTooLongError(f"more than {most:,} bytes")
            return bytes(parts)

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body as it comes. Raises UnreachableError when it breaks off."""
        with _translated():
            async for chunk in self._response.content.iter_any():
                yield chunk


class ChatClient:
    """Keeps its connections open; belongs to the event loop in which it is entered."""

    _session: aiohttp.ClientSession

    async def __aenter__(self) -> Self:
        connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEP_ALIVE_S)
        # Answers pass through the gateway as they are, so nobody is asked to compress them.
        self._session = aiohttp.ClientSession(connector=connector, headers={"accept-encoding": "identity"})
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self._session.close()

    def complete(
        self, endpoint: Endpoint, request: Mapping[str, Any], patience: Patience
    ) -> contextlib.AbstractAsyncContextManager[Response]:
        """POST /chat/completions. Raises UnreachableError."""
        return self._asked(endpoint, "POST", "/chat/completions", patience, orjson.dumps(request))

    def models(
        self, endpoint: Endpoint, patience: Patience
    ) -> contextlib.AbstractAsyncContextManager[Response]:
        """GET /models. Raises UnreachableError."""
        return self._asked(endpoint, "GET", "/models", patience)

    @contextlib.asynccontextmanager
    async def _asked(
        self, endpoint: Endpoint, method: str, path: str, patience: Patience, body: bytes | None = None
    ) -> AsyncIterator[Response]:
        headers = {**endpoint.headers, **({"content-type": "application/json"} if body is not None else {})}
        timeout = aiohttp.ClientTimeout(total=patience.total_s, sock_connect=patience.connect_s)
        with _translated():
            response = await self._session.request(
                method,
                endpoint.base_url + path,
                data=body,
                headers=headers,
                timeout=timeout,
                allow_redirects=False,
            )
        async with response:
            yield Response(response)


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    """What goes wrong on the way, in the words of this module."""
    try:
        yield
    except TimeoutError as error:
        raise TimedOutError(type(error).__name__) from error
    except aiohttp.ClientConnectorError as error:
        raise NobodyThereError(type(error).__name__) from error
    except (aiohttp.ClientError, OSError) as error:
        raise UnreachableError(type(error).__name__) from error
