"""Training examples: conversations in other people's words, their last answer, and the row around them."""

from __future__ import annotations

from typing import Any

from slmhub.formats.fields import content_id, filled, first_text, object_of, outcome_of, texts_of
from slmhub.formats.foreign_json import NotJsonError, decode
from slmhub.formats.records import Issue, MalformedError, Message, Record, SpanKind
from slmhub.formats.tools import definition_of

ASSISTANT = "assistant"
# Every turn of a long session is a call that repeats all turns before it.
_MOST_MESSAGES = 4000
_ROLES = {
    "human": "user", "user": "user", "customer": "user", "prompter": "user",
    "gpt": ASSISTANT, "assistant": ASSISTANT, "chatgpt": ASSISTANT, "bing": ASSISTANT, "bard": ASSISTANT,
    "model": ASSISTANT, "ai": ASSISTANT, "bot": ASSISTANT, "agent": ASSISTANT, "function_call": ASSISTANT,
    "observation": "tool", "tool": "tool", "function_response": "tool", "ipython": "tool",
    "system": "system", "developer": "developer", "function": "function",
}  # fmt: skip
_SESSION_KEYS = ("session_id", "session", "conversation_id", "thread_id")
_OWN = frozenset(("id", "span_id", "trace_id", "model", "tags", "metadata", *_SESSION_KEYS))


def role_of(name: str) -> str:
    """The role that a name means; a name that nobody knows stays."""
    return _ROLES.get(name.lower(), name)


def split_answer(messages: list[Message], attributes: dict[str, Any]) -> tuple[list[Message], Message]:
    """What stands before the assistant's last message, and that message.

    Turns behind it have no answer: they are left out, and their number is noted. Raises MalformedError.
    """
    for at in reversed(range(len(messages))):
        if messages[at]["role"] == ASSISTANT:
            dropped = len(messages) - at - 1
            if dropped:
                attributes["unanswered_turns"] = dropped
            return messages[:at], messages[at]
    raise MalformedError("no message is the assistant's, so there is no answer to learn")


def check_length(messages: list[Any]) -> None:
    """Raises MalformedError for a session whose calls together would be immense."""
    if len(messages) > _MOST_MESSAGES:
        raise MalformedError(f"a session of {len(messages):,} messages; at most {_MOST_MESSAGES:,} are read")


def tools_of_text(value: Any) -> list[dict[str, Any]]:
    """Tools as a list or as its JSON text, flat or in OpenAI's shape. Raises MalformedError."""
    if isinstance(value, str):
        if not value.strip():
            return []
        try:
            value = decode(value)
        except NotJsonError as error:
            raise MalformedError(f"tools is text that {error}") from error
    if value is None:
        return []
    if isinstance(value, dict):
        value = [value]
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise MalformedError("tools is no list of objects")
    return [definition_of(item) for item in value]


def example(
    row: dict[str, Any],
    format: str,
    talk: tuple[list[Message], Message],
    taken: frozenset[str],
    issues: set[Issue],
) -> Record:
    """The row as a call; `taken` are the keys that its format understood. Raises MalformedError."""
    metadata = object_of(row.get("metadata"), "metadata")
    span_id = first_text((row,), ("span_id", "id")) or content_id(row)
    model = first_text((row,), ("model",))
    attributes = {key: value for key, value in row.items() if key not in taken and key not in _OWN}
    attributes |= {"metadata": metadata, "outcome": outcome_of(metadata), "issues": sorted(issues)}
    return Record(
        kind=SpanKind.LLM,
        name=f"chat {model}" if model else "chat",
        span_id=span_id,
        trace_id=first_text((row,), ("trace_id",)) or span_id,
        session=first_text((row, metadata), _SESSION_KEYS),
        model=model,
        messages=talk[0],
        output=talk[1],
        tags=texts_of(row.get("tags")),
        attributes=filled(attributes),
        format=format,
    )
