"""OpenAI fine-tuning lines, `{messages, tools?}`: the last message is the assistant's answer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from slmhub.formats.chat_shapes import messages_of, tools_of
from slmhub.formats.fields import content_id, first_text, object_of, outcome_of, texts_of
from slmhub.formats.records import Issue, MalformedError, Record, Reject, SpanKind

NAME = "openai_finetune"
EXPECTED = "messages that end with the assistant's"

_ASSISTANT = "assistant"
_PARAMETERS = ("parallel_tool_calls", "response_format", "temperature", "tool_choice")


def matches(row: Any) -> bool:
    return isinstance(row, dict) and "messages" in row and "request" not in row


def records(row: dict[str, Any]) -> Iterator[Record | Reject]:
    yield parse(row)


def parse(row: dict[str, Any]) -> Record:
    """One example as a call. Raises MalformedError when it is no conversation with an answer."""
    issues: set[Issue] = set()
    weighted = messages_of(row["messages"], issues)
    messages = [{key: value for key, value in message.items() if key != "weight"} for message in weighted]
    if not messages or messages[-1]["role"] != _ASSISTANT:
        raise MalformedError("the last message is not the assistant's, so there is no answer to learn")
    metadata = object_of(row.get("metadata"), "metadata")
    span_id = first_text((row,), ("span_id", "id")) or content_id(row)
    model = first_text((row,), ("model",))
    weights = [message.get("weight") for message in weighted]
    attributes = {
        "metadata": metadata,
        "outcome": outcome_of(metadata),
        # Of each message, the answer last: 0 is not to be learnt.
        "weights": weights if any(weight is not None for weight in weights) else None,
        "issues": sorted(issues),
    }
    return Record(
        kind=SpanKind.LLM,
        name=f"chat {model}" if model else "chat",
        span_id=span_id,
        trace_id=first_text((row,), ("trace_id",)) or span_id,
        session=first_text((row, metadata), ("session_id", "session", "conversation_id", "thread_id")),
        model=model,
        parameters={key: row[key] for key in _PARAMETERS if key in row},
        messages=messages[:-1],
        tools=tools_of(row),
        output=messages[-1],
        tags=texts_of(row.get("tags")),
        attributes={key: value for key, value in attributes.items() if value},
        format=NAME,
    )
