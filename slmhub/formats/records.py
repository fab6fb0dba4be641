"""The normal form that every wire format is brought to: one span a record."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

import msgspec

Message = dict[str, Any]


class SpanKind(StrEnum):
    LLM = "llm"
    TOOL = "tool"
    AGENT = "agent"
    CHAIN = "chain"
    RETRIEVER = "retriever"
    EMBEDDING = "embedding"
    OTHER = "other"


class Issue(StrEnum):
    """What was odd about an accepted record; listed in `attributes["issues"]`."""

    ARGUMENTS_NOT_JSON = "arguments_not_json"
    TIMESTAMP_UNUSABLE = "timestamp_unusable"
    NUL_REPLACED = "nul_replaced"
    SEVERAL_CHOICES = "several_choices"


class Usage(msgspec.Struct, kw_only=True):
    """Token counts. `cached_input` is part of `input`, `reasoning` is part of `output`."""

    input: int | None = None
    output: int | None = None
    cached_input: int | None = None
    reasoning: int | None = None


class Record(msgspec.Struct, kw_only=True):
    """One span. Times are UTC; `messages`, `tools` and `output` are OpenAI chat shapes; cost is in USD."""

    kind: SpanKind
    name: str
    trace_id: str
    span_id: str
    format: str
    parent_id: str | None = None
    session: str | None = None
    user: str | None = None
    agent: str | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    latency_ms: float | None = None
    ttft_ms: float | None = None
    provider: str | None = None
    model: str | None = None
    parameters: dict[str, Any] = msgspec.field(default_factory=dict)
    messages: list[Message] = msgspec.field(default_factory=list)
    tools: list[dict[str, Any]] = msgspec.field(default_factory=list)
    output: Message | None = None
    usage: Usage = msgspec.field(default_factory=Usage)
    cost: float | None = None
    finish_reason: str | None = None
    error: str | None = None
    tags: list[str] = msgspec.field(default_factory=list)
    attributes: dict[str, Any] = msgspec.field(default_factory=dict)


class Reject(msgspec.Struct):
    """One line that could not be read. The excerpt is raw, unredacted text of at most 200 characters."""

    line: int
    reason: str
    excerpt: str


class MalformedError(ValueError):
    """A row claims a known shape and breaks it; the message says where."""
