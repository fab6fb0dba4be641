"""What any provider is asked and what it answers, in OpenAI chat shapes."""

from __future__ import annotations

from typing import Any

import msgspec

from slmhub.formats.records import Message, Usage


class Asked(msgspec.Struct, kw_only=True):
    messages: list[Message] = msgspec.field(default_factory=list)
    tools: list[dict[str, Any]] = msgspec.field(default_factory=list)
    parameters: dict[str, Any] = msgspec.field(default_factory=dict)
    model: str | None = None
    user: str | None = None
    streamed: bool = False
    metadata: dict[str, Any] = msgspec.field(default_factory=dict)


class Answered(msgspec.Struct, kw_only=True):
    """`created` is an instant as the provider wrote it (see `fields.instant_of`)."""

    output: Message | None = None
    usage: Usage = msgspec.field(default_factory=Usage)
    finish_reason: str | None = None
    finish_reason_given: str | None = None
    model: str | None = None
    response_id: str | None = None
    error: str | None = None
    created: Any = None
    attributes: dict[str, Any] = msgspec.field(default_factory=dict)
