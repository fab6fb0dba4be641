"""ShareGPT conversations: `{conversations: [{from, value}], system?, tools?}`, and their many dialects.

One conversation is one call: the assistant's last turn, with every turn before it as messages. Tool calls
come as turns from `function_call`, or (LLaMA-Factory's second version) as parts `{type, value}`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from slmhub.formats.chat_shapes import message_of
from slmhub.formats.conversations import ASSISTANT, example, role_of, split_answer, tools_of_text
from slmhub.formats.fields import as_text, json_or_text
from slmhub.formats.parts import (
    Part,
    assistant,
    content_of,
    reasoning_part,
    text_part,
    tool_call,
    tool_result,
)
from slmhub.formats.records import Issue, MalformedError, Message, Record, Reject

NAME = "sharegpt"
EXPECTED = "conversations with from and value"

_LISTS = ("conversations", "conversation", "messages")
_TAKEN = frozenset((*_LISTS, "system", "tools", "chosen", "rejected", "kto_tag"))
_TELLING = ("chosen", "kto_tag")
_CALL = "function_call"


def matches(row: Any) -> bool:
    if not isinstance(row, dict) or "request" in row:
        return False
    turns = _turns_of(row)
    if not turns or not isinstance(turns[0], dict):
        return False
    # A list of `messages` in the words of OpenAI is that format's, unless something here tells otherwise.
    return (
        isinstance(row.get("conversations") or row.get("conversation"), list)
        or "from" in turns[0]
        or isinstance(row.get("tools"), str)
        or any(key in row for key in _TELLING)
        or any(map(_has_valued_parts, turns))
    )


def records(row: dict[str, Any]) -> Iterator[Record | Reject]:
    issues: set[Issue] = set()
    messages = _messages(_turns_of(row), issues)
    system = row.get("system")
    if isinstance(system, str) and system and not (messages and messages[0]["role"] == "system"):
        messages.insert(0, {"role": "system", "content": system})
    messages += _answer(row.get("chosen"), issues)
    left_out: dict[str, Any] = {}
    record = example(row, NAME, split_answer(messages, left_out), _TAKEN, issues)
    record.tools = tools_of_text(row.get("tools"))
    record.attributes |= left_out
    rejected = _answer(row.get("rejected"), issues)
    if rejected:
        record.attributes["non_preferred"] = rejected
    if isinstance(row.get("kto_tag"), bool):
        record.attributes["kto_tag"] = row["kto_tag"]
        record.attributes["outcome"] = "success" if row["kto_tag"] else "failure"
    yield record


def _turns_of(row: dict[str, Any]) -> list[Any]:
    return next((row[key] for key in _LISTS if isinstance(row.get(key), list)), [])


def _has_valued_parts(turn: Any) -> bool:
    content = turn.get("content") if isinstance(turn, dict) else None
    return isinstance(content, list) and any(isinstance(part, dict) and "value" in part for part in content)


def _answer(value: Any, issues: set[Issue]) -> list[Message]:
    if isinstance(value, str):
        return [{"role": ASSISTANT, "content": value}]
    if isinstance(value, dict):
        value = [value]
    return _messages(value, issues) if isinstance(value, list) else []


def _messages(turns: list[Any], issues: set[Issue]) -> list[Message]:
    messages: list[Message] = []
    waiting: list[str] = []
    for number, turn in enumerate(turns, 1):
        message = _message(turn, number, waiting, issues)
        if calls := message.get("tool_calls"):
            waiting[:] = [str(call.get("id", "")) for call in calls if isinstance(call, dict)]
        messages.append(message)
    return messages


def _message(turn: Any, number: int, waiting: list[str], issues: set[Issue]) -> Message:
    if not isinstance(turn, dict):
        raise MalformedError(f"turn {number} is no object with from and value")
    name = turn.get("from", turn.get("role"))
    if not isinstance(name, str) or not name:
        raise MalformedError(f"turn {number} does not say who speaks")
    value, role = turn.get("value", turn.get("content")), role_of(name)
    if name.lower() == _CALL:
        return assistant([], _calls(value, number, issues))
    if _has_valued_parts(turn):
        return _from_parts(role, turn["content"], number, waiting, issues)
    if role == "tool" and "tool_call_id" not in turn:
        return tool_result(waiting.pop(0) if waiting else "", as_text(value))
    extra = {key: item for key, item in turn.items() if key not in ("from", "value", "role", "content")}
    return message_of({"role": role, **extra, "content": value}, issues, f"turn {number}")


def _calls(value: Any, number: int, issues: set[Issue]) -> list[dict[str, Any]]:
    """The calls in a turn's text: one object or a list of them, `{name, arguments}`."""
    given = json_or_text(value)
    found: list[dict[str, Any]] = []
    for item in given if isinstance(given, list) else [given]:
        call = item if isinstance(item, dict) else {}
        function = call["function"] if isinstance(call.get("function"), dict) else call
        if not isinstance(function.get("name"), str) or not function["name"]:
            raise MalformedError(f"turn {number} is a function call without a name")
        id = call.get("id") or f"call_{number}_{len(found) + 1}"
        arguments = function.get("arguments", function.get("parameters"))
        found.append(tool_call(id, function["name"], arguments, issues))
    return found


def _from_parts(role: str, given: list[Any], number: int, waiting: list[str], issues: set[Issue]) -> Message:
    parts: list[Part] = []
    calls: list[dict[str, Any]] = []
    for part in given:
        kind = part.get("type") if isinstance(part, dict) else None
        if not isinstance(kind, str):
            raise MalformedError(f"turn {number} has a part without a type")
        if kind == "tool_call":
            calls += _calls(part.get("value"), number + len(calls), issues)
        elif kind == "text":
            parts.append(text_part(as_text(part.get("value", part.get("text")))))
        elif kind == "reasoning":
            parts.append(reasoning_part(as_text(part.get("value"))))
        else:
            parts.append(part)
    if role == "tool":
        text = "".join(str(part.get("text", "")) for part in parts)
        return tool_result(waiting.pop(0) if waiting else "", text)
    if calls:
        return assistant(parts, calls)
    return {"role": role, "content": content_of(parts)}
