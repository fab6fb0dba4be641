"""The format of our own, for the starter and other bases without a chat of their own worth keeping.

A message is shown as `role: text`; a single user message as its text alone. A tool call is the line
`{"tool":name,"args":{…}}`, several are a JSON list of those. What all examples of a task share is left out,
and the whole stands as one user turn in the base's chat template. The functions need no tokenizer.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from slmhub.ml.prompt_formats.messages import (
    Message,
    Tool,
    compact_json,
    content_text,
    encodable,
    json_or_none,
    openai_call,
    tool_function,
    tool_name,
)

PLACEHOLDER = "\u241f"


@dataclass(frozen=True)
class StaticMessage:
    """A message that stands in every example of a task."""

    role: str
    text: str


@dataclass(frozen=True)
class StaticPrompt:
    """What a task's examples share and its specialist therefore never sees.

    `window` keeps only that many of the last messages that are left; 0 keeps all.
    """

    messages: tuple[StaticMessage, ...] = ()
    toolset: bool = False
    window: int = 0

    @classmethod
    def of(cls, examples: Iterable[tuple[Sequence[Message], Sequence[Tool] | None]]) -> StaticPrompt:
        """The leading messages and the tool set that all examples share; the last message always stays."""
        shared: list[StaticMessage] | None = None
        toolsets: set[str] = set()
        for messages, tools in examples:
            leading = [_static(message) for message in messages[:-1]]
            shared = leading if shared is None else _common_start(shared, leading)
            toolsets.add(json.dumps(tools or [], sort_keys=True, default=str))
        return cls(messages=tuple(shared or ()), toolset=len(toolsets) == 1)

    @classmethod
    def from_json(cls, value: Mapping[str, Any] | None) -> StaticPrompt:
        value = value or {}
        messages = tuple(StaticMessage(one["role"], one["text"]) for one in value.get("messages", ()))
        return cls(messages, toolset=bool(value.get("toolset")), window=int(value.get("window", 0)))

    def to_json(self) -> dict[str, Any]:
        messages = [{"role": one.role, "text": one.text} for one in self.messages]
        return {"messages": messages, "toolset": self.toolset, "window": self.window}


NOTHING_STATIC = StaticPrompt()


class Compact:
    """The compact format on a base's tokenizer; special tokens in a text stay text."""

    def __init__(self, tokenizer: Any, static: StaticPrompt = NOTHING_STATIC) -> None:
        self._tokenizer = tokenizer
        self._static = static
        self.end: int = tokenizer.eos_token_id
        self.pad: int = tokenizer.eos_token_id if tokenizer.pad_token_id is None else tokenizer.pad_token_id
        before, after = self._user_turn()
        self._before: list[int] = tokenizer(before, add_special_tokens=False)["input_ids"]
        self._after: list[int] = tokenizer(after, add_special_tokens=False)["input_ids"]

    def _user_turn(self) -> tuple[str, str]:
        """What the chat template puts before and after a user's text."""
        if not self._tokenizer.chat_template:
            return "", "\n"
        turn = [{"role": "user", "content": PLACEHOLDER}]
        text = self._tokenizer.apply_chat_template(turn, tokenize=False, add_generation_prompt=True)
        before, _, after = text.partition(PLACEHOLDER)
        return before, after

    def render_prompt(self, messages: Sequence[Message], tools: Sequence[Tool] | None) -> str:
        return render_prompt(messages, tools, self._static)

    def render_answer(self, message: Message) -> str:
        return render_answer(message)

    def parse_answer(self, text: str, tools: Sequence[Tool] | None) -> dict[str, Any]:
        return parse_answer(text, tools)

    def words_so_far(self, text: str) -> int:
        return 0 if text.lstrip()[:1] in ("", "{", "[") else len(text)

    def encode_prompt(self, text: str) -> list[int]:
        return [*self._before, *self._plain_ids(text), *self._after]

    def encode_answer(self, text: str) -> list[int]:
        return [*self._plain_ids(text), self.end]

    def decode(self, ids: list[int]) -> str:
        return str(self._tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False))

    def _plain_ids(self, text: str) -> list[int]:
        encoded = self._tokenizer(text, add_special_tokens=False, split_special_tokens=True)
        return list(encoded["input_ids"])


def render_prompt(
    messages: Sequence[Message], tools: Sequence[Tool] | None, static: StaticPrompt = NOTHING_STATIC
) -> str:
    """The text that the model reads: the tools and messages that are not static."""
    left = _without(static, messages)[-static.window :]
    if len(left) == 1 and left[0].get("role") == "user":
        lines = [message_text(left[0])]
    else:
        lines = [f"{message.get('role', 'user')}: {message_text(message)}" for message in left]
    if tools and not static.toolset:
        lines.insert(0, "tools: " + " ".join(_signature(tool) for tool in tools))
    return encodable("\n".join(lines))


def render_answer(message: Message) -> str:
    """The text that the model is to write for an assistant message; words beside a tool call are dropped."""
    calls = [_call_value(call) for call in message.get("tool_calls") or ()]
    if not calls:
        return encodable(content_text(message.get("content")))
    return encodable(compact_json(calls[0] if len(calls) == 1 else calls))


def parse_answer(text: str, tools: Sequence[Tool] | None) -> dict[str, Any]:
    """The assistant message in `text`: calls if it is JSON of calls to offered tools, else content."""
    names = {tool_name(tool) for tool in tools or ()}
    value = json_or_none(text) if text.lstrip()[:1] in ("{", "[") else None
    calls: list[Any] = value if isinstance(value, list) else [value]
    if not calls or not all(_is_call(call, names) for call in calls):
        return {"role": "assistant", "content": text}
    tool_calls = [openai_call(call["tool"], call["args"]) for call in calls]
    return {"role": "assistant", "content": None, "tool_calls": tool_calls}


def message_text(message: Message) -> str:
    """A message's content, and its tool calls as JSON, as one text."""
    parts = [content_text(message.get("content"))]
    if message.get("tool_calls"):
        parts.append(render_answer(message))
    return "\n".join(part for part in parts if part)


def _static(message: Message) -> StaticMessage:
    return StaticMessage(str(message.get("role", "user")), message_text(message))


def _common_start(one: list[StaticMessage], other: list[StaticMessage]) -> list[StaticMessage]:
    length = 0
    while length < min(len(one), len(other)) and one[length] == other[length]:
        length += 1
    return one[:length]


def _without(static: StaticPrompt, messages: Sequence[Message]) -> list[Message]:
    expected = list(static.messages)
    left = []
    for message in messages:
        if expected and _static(message) == expected[0]:
            expected.pop(0)
        else:
            left.append(message)
    return left


def _signature(tool: Tool) -> str:
    """`name(argument,argument)` of a tool definition."""
    parameters = tool_function(tool).get("parameters")
    properties = parameters.get("properties") if isinstance(parameters, Mapping) else None
    return f"{tool_name(tool)}({','.join(properties if isinstance(properties, Mapping) else ())})"


def _call_value(call: Mapping[str, Any]) -> dict[str, Any]:
    function = call.get("function") or {}
    arguments = function.get("arguments") or "{}"
    value = json_or_none(arguments) if isinstance(arguments, str) else arguments
    return {"tool": function.get("name", ""), "args": value if isinstance(value, dict) else arguments}


def _is_call(value: object, names: set[str]) -> bool:
    return (
        isinstance(value, dict)
        and value.keys() == {"tool", "args"}
        and isinstance(value["tool"], str)
        and value["tool"] in names
        and isinstance(value["args"], dict | str)
    )
