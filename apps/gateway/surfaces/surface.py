"""What every surface offers: a shape in which callers ask and are answered.

Behind it everybody speaks OpenAI's chat completions: `request` and `response` here are theirs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from apps.gateway.refusals import Refusal

Json = dict[str, Any]
# What the caller gets for a piece of a stream, which may begin and end anywhere; an empty one is its end.
Relay = Callable[[bytes], bytes]


@dataclass(frozen=True)
class Asked:
    """A call as its caller wrote it, and as backends are asked."""

    received: Json
    request: Json


class Surface(Protocol):
    """A module of this package."""

    def parse(self, body: bytes) -> Asked:
        """Raises Refusal."""

    def render(self, response: Json) -> Json:
        """A whole answer, or what went wrong instead, for the caller."""

    def relay(self, request: Json) -> Relay:
        """Takes a stream of chunks to the caller: a teacher's as it comes, or a whole answer told as one."""

    def refusal(self, refused: Refusal) -> Json: ...
