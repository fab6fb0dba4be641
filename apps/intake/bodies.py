"""Reads request bodies within what this process may hold in memory."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator

from apps.core.compression import (
    ENCODINGS,
    BrokenEncodingError,
    TooMuchError,
    UnknownEncodingError,
    undone,
)
from apps.core.raw_asgi import Receive, Scope, discard_rest, header
from apps.intake.answers import Refusal, busy

LARGEST_BODY = 64 * 1024**2
# A caller reads the refusal only after it has sent its body; beyond this the connection is cut.
LARGEST_DISCARDED = 4 * LARGEST_BODY
SILENCE_S = 20.0
LONGEST_S = 120.0


class Budget:
    """Bytes that all requests of this process may hold at once."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.held = 0
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def claim(self) -> Iterator[Claim]:
        claim = Claim(self)
        try:
            yield claim
        finally:
            self.take(-claim.size, claim)

    def take(self, size: int, claim: Claim) -> None:
        """A claim that is alone may grow beyond the limit, or it would be refused for ever."""
        with self._lock:
            others = self.held - claim.size
            if size > 0 and others > 0 and self.held + size > self.limit:
                raise busy("The hub holds as many traces in memory as it may; send again later.", 1)
            self.held += size
            claim.size += size


class Claim:
    """What one request holds of the budget."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self.size = 0

    def grow(self, size: int) -> None:
        """Raises Refusal 429 when the budget is used up."""
        self._budget.take(size, self)


async def read_body(scope: Scope, receive: Receive, claim: Claim) -> bytes:
    """The body as it is sent. Raises Refusal: 408, 413, 429."""
    announced = header(scope, b"content-length")
    if announced.isdigit() and int(announced) > LARGEST_BODY:
        await discard_rest(receive, more=True, most=LARGEST_DISCARDED)
        raise _too_large()
    clock = asyncio.get_running_loop().time
    latest = clock() + LONGEST_S
    body = bytearray()
    more = True
    try:
        async with asyncio.timeout(SILENCE_S) as limit:
            while more:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise Refusal(400, "The caller left before the body was complete.")
                chunk = message.get("body", b"")
                more = bool(message.get("more_body"))
                limit.reschedule(min(latest, clock() + SILENCE_S))
                claim.grow(len(chunk))
                body += chunk
                if len(body) > LARGEST_BODY:
                    raise _too_large()
    except TimeoutError:
        raise Refusal(408, "The body came too slowly.", [(b"connection", b"close")]) from None
    except Refusal as refusal:
        if refusal.status in (413, 429):
            body.clear()
            await discard_rest(receive, more=more, most=LARGEST_DISCARDED)
        raise
    return bytes(body)


def plain_of(body: bytes, encoding: str, claim: Claim) -> bytes:
    """The body without its content encoding. Raises Refusal: 400, 413, 415, 429."""
    try:
        return undone(body, encoding, most=LARGEST_BODY, grow=claim.grow)
    except UnknownEncodingError:
        known = ", ".join(ENCODINGS[1:])
        raise Refusal(415, f"Content-Encoding {encoding[:40]!r} is not taken; known: {known}.") from None
    except BrokenEncodingError as error:
        raise Refusal(400, f"The body is not whole {encoding}: {error}.") from None
    except TooMuchError:
        raise _too_large("unpacked, ") from None


def _too_large(when: str = "") -> Refusal:
    most = LARGEST_BODY // 1024**2
    return Refusal(
        413, f"The body is, {when}larger than {most} MiB." if when else f"The body is larger than {most} MiB."
    )
