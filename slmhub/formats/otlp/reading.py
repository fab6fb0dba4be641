"""What one convention understands of a span; `read` lays the readings over one another by precedence."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec

from slmhub.formats.otlp.wire import SpanData
from slmhub.formats.records import Issue, Message, SpanKind, Usage


class Reading(msgspec.Struct, kw_only=True):
    """Everything is optional. `taken` names the attributes that were understood: they do not stay raw."""

    kind: SpanKind | None = None
    name: str | None = None
    session: str | None = None
    user: str | None = None
    agent: str | None = None
    environment: str | None = None
    provider: str | None = None
    model: str | None = None
    parameters: dict[str, Any] = msgspec.field(default_factory=dict)
    messages: list[Message] = msgspec.field(default_factory=list)
    tools: list[dict[str, Any]] = msgspec.field(default_factory=list)
    output: Message | None = None
    usage: Usage = msgspec.field(default_factory=Usage)
    cost: float | None = None
    ttft_ms: float | None = None
    finish_reason: str | None = None
    finish_reason_given: str | None = None
    error: str | None = None
    tags: list[str] = msgspec.field(default_factory=list)
    metadata: dict[str, Any] = msgspec.field(default_factory=dict)
    response_id: str | None = None
    streamed: bool = False
    # What no field holds, for `Record.attributes`: {"vectors": 3}.
    attributes: dict[str, Any] = msgspec.field(default_factory=dict)
    taken: set[str] = msgspec.field(default_factory=set)


class Convention(NamedTuple):
    """`claims` looks at the attributes present, never at the name of the scope."""

    name: str
    claims: Callable[[dict[str, Any]], bool]
    read: Callable[[SpanData, set[Issue]], Reading]
