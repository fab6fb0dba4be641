"""OpenAI chat shapes and the answers that travel in them."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

Message = dict[str, Any]


@dataclass(frozen=True)
class Answer:
    """What a step says: a tool call with `fields` as arguments, a JSON object of `fields`, or `text`."""

    fields: dict[str, Any] | None = None
    tool: str | None = None
    text: str = ""
    truncated: bool = False

    def message(self, key: str) -> Message:
        """The assistant message; `key` makes the tool call's id."""
        if self.tool is None:
            return {"role": "assistant", "content": self.text if self.fields is None else dumps(self.fields)}
        call = {"name": self.tool, "arguments": dumps(self.fields)}
        call_id = "call_" + hashlib.sha256(f"{key}:{call}".encode()).hexdigest()[:24]
        tool_calls = [{"id": call_id, "type": "function", "function": call}]
        return {"role": "assistant", "content": None, "tool_calls": tool_calls}

    @property
    def finish_reason(self) -> str:
        if self.truncated:
            return "length"
        return "stop" if self.tool is None else "tool_calls"


def dumps(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def text_of(message: Message) -> str:
    """A message's text, whether its content is a string, a list of parts or null."""
    content = message.get("content")
    if isinstance(content, list):
        return "".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    return content if isinstance(content, str) else ""


def last_text(messages: list[Message], role: str) -> str:
    return next((text_of(m) for m in reversed(messages) if m.get("role") == role), "")


def digest(messages: list[Message]) -> str:
    """A name of the prompt, for pseudo-random choices that must be the same each time it is asked."""
    return hashlib.sha256(json.dumps(messages, sort_keys=True, default=str).encode()).hexdigest()


def same_answer(expected: Message, given: Message) -> bool:
    """Equal as a machine reads it: same tool and arguments, or same JSON, or same text."""
    return _canonical(expected) == _canonical(given)


def _canonical(message: Message) -> object:
    calls = message.get("tool_calls") or []
    if calls:
        return [(c["function"]["name"], _parsed(c["function"]["arguments"])) for c in calls]
    return _parsed(text_of(message))


def _parsed(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError:
        return text
