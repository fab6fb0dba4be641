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
    # The emitter was told to send no text, or sends "__REDACTED__" in its place.
    CONTENT_OFF = "content_off"
    # The emitter's own limits cut attributes off, or values in the middle.
    ATTRIBUTES_DROPPED = "attributes_dropped"
    TRUNCATED = "truncated"
    # The span ends before it starts, or a child's clock differs from its parent's.
    CLOCK_SKEW = "clock_skew"
    # A model span around another model span: its usage would count twice.
    WRAPS_MODEL_CALL = "wraps_model_call"


class Usage(msgspec.Struct, kw_only=True):
    """Token counts. `cached_input` and `cache_write` are part of `input`, `reasoning` of `output`."""

    input: int | None = None
    output: int | None = None
    cached_input: int | None = None
    cache_write: int | None = None
    reasoning: int | None = None


class Record(msgspec.Struct, kw_only=True):
    """One span. Times are UTC; `messages`, `tools` and `output` are OpenAI chat shapes; cost is in USD.

    A span that is no call holds what went in as `messages` and what came out as `output` too: of a tool
    span the assistant message with its call, and the tool message with its result.

    Some emitters send a span in parts (log events, create and update). A part has `partial` set; parts of
    one (trace_id, span_id) are put together by `merge`. `message_times` (ns, one per message) orders
    messages that arrive one by one; `revised_at` says which of two differing parts is the later one.
    """

    kind: SpanKind
    name: str
    trace_id: str
    span_id: str
    format: str
    parent_id: str | None = None
    session: str | None = None
    user: str | None = None
    agent: str | None = None
    environment: str | None = None
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
    # The program that sent it, as it says itself: "openinference.instrumentation.openai 0.1.66".
    emitter: str = ""
    # Attributes that the emitter says its limits dropped.
    dropped: int = 0
    partial: bool = False
    message_times: list[int] = msgspec.field(default_factory=list)
    revised_at: datetime | None = None


class Reject(msgspec.Struct):
    """One line that could not be read. The excerpt is raw, unredacted text of at most 200 characters."""

    line: int
    reason: str
    excerpt: str


class MalformedError(ValueError):
    """A row claims a known shape and breaks it; the message says where."""
