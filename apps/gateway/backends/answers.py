"""What a backend has to say to a call."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Doubt:
    """Nothing that should be used; somebody else is asked."""

    why: str


@dataclass(frozen=True)
class Whole:
    """A whole answer, or what the backend says went wrong, as a chat completion."""

    response: dict[str, Any]
    served_by: str
    simulated: bool = False
    status: int = 200
    # Of a shape that was looked at, so that it can be told as a stream.
    is_checked: bool = False

    @property
    def error(self) -> str:
        return "" if self.status == 200 else f"HTTP {self.status}"


@dataclass(frozen=True)
class Streamed:
    """An answer that comes in pieces of server-sent events. Reading on raises UnreachableError."""

    chunks: AsyncIterator[bytes]
    served_by: str
    simulated: bool = False
