"""What request bodies may hold of this process's memory, and what they are unpacked."""

from __future__ import annotations

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
from apps.intake.answers import Refusal, busy

LARGEST_BODY = 64 * 1024**2


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
        most = LARGEST_BODY // 1024**2
        raise Refusal(413, f"The body is, unpacked, larger than {most} MiB.") from None
