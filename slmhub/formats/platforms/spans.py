"""What the spans of Langfuse and LangSmith have in common."""

from __future__ import annotations

from typing import Any

from slmhub.formats.fields import either, telling
from slmhub.formats.parts import content_of
from slmhub.formats.records import Message, Record, SpanKind, Usage

MODEL_CALLS = frozenset({SpanKind.LLM, SpanKind.EMBEDDING})
_TEXT_KEYS = ("input", "texts", "text", "query", "documents")
_VECTOR_KEYS = ("data", "embeddings", "output", "embedding")


def texts_asked(value: Any) -> list[Message]:
    """One user message for each text to embed."""
    given = value
    if isinstance(value, dict):
        given = either(value, *_TEXT_KEYS)
    texts = given if isinstance(given, list) else [given]
    return [{"role": "user", "content": text} for text in texts if isinstance(text, str) and text]


def vectors_in(value: Any) -> int:
    """How many vectors an embedding answered; the vectors themselves are not kept."""
    given = value
    if isinstance(value, dict):
        given = either(value, *_VECTOR_KEYS)
    if not isinstance(given, list):
        return 0
    return 1 if given and isinstance(given[0], int | float) else len(given)


def tidied(message: Message) -> Message:
    """Without the nulls that SDKs dump and the attributes of events (`gen_ai.…`); a single text part bare."""
    content = message.get("content")
    if isinstance(content, list) and all(isinstance(part, dict) for part in content):
        content = content_of(content)
    kept = {key: value for key, value in message.items() if value is not None and "." not in key}
    return {"role": message.get("role"), **kept, "content": content}


def count_usage(record: Record, usage: Usage, cost: float | None) -> None:
    """Counts what a model call used; what a span around it reports would count twice and is only noted."""
    if record.kind in MODEL_CALLS:
        record.usage, record.cost = usage, cost
        return
    counts = {name: getattr(usage, name) for name in Usage.__struct_fields__}
    reported = {name: count for name, count in counts.items() if count}
    record.attributes.update(telling({"usage_reported": reported, "cost_reported": cost or None}))
