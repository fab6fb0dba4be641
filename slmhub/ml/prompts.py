"""What a specialist reads and writes: OpenAI chat shapes to text and back.

Training, evaluation and serving all go through here, so that a model is asked exactly as it was taught.
A message is shown as `role: text`; a single user message as its text alone. A tool call is the line
`{"tool":name,"args":{…}}`, several are a JSON list of those. What all examples of a task share is left out.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Message = Mapping[str, Any]
Tool = Mapping[str, Any]


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


def render_completion(message: Message) -> str:
    """The text that the model is to write for an assistant message; words beside a tool call are dropped."""
    calls = [_call_value(call) for call in message.get("tool_calls") or ()]
    if not calls:
        return encodable(_content_text(message.get("content")))
    return encodable(compact_json(calls[0] if len(calls) == 1 else calls))


def parse_completion(text: str, tools: Sequence[Tool] | None) -> dict[str, Any]:
    """The assistant message in `text`: calls if it is JSON of calls to offered tools, else content."""
    calls = _parsed_calls(text, {_tool_name(tool) for tool in tools or ()})
    if not calls:
        return {"role": "assistant", "content": text}
    return {"role": "assistant", "content": None, "tool_calls": [_openai_call(call) for call in calls]}


def message_text(message: Message) -> str:
    """A message's content, and its tool calls as JSON, as one text."""
    parts = [_content_text(message.get("content"))]
    if message.get("tool_calls"):
        parts.append(render_completion(message))
    return "\n".join(part for part in parts if part)


def compact_json(value: object) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def encodable(text: str) -> str:
    """`text` with lone surrogates, which JSON may hold and UTF-8 may not, replaced by question marks."""
    return text.encode("utf-8", "replace").decode("utf-8")


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


def _content_text(content: object) -> str:
    if content is None:
        return ""
    if isinstance(content, list):
        return "\n".join(_part_text(part) for part in content)
    return content if isinstance(content, str) else compact_json(content)


def _part_text(part: object) -> str:
    if isinstance(part, Mapping):
        text = part.get("text")
        return text if isinstance(text, str) else f"[{part.get('type', 'part')}]"
    return str(part)


def _tool_name(tool: Tool) -> str:
    function = tool.get("function")
    return str((function if isinstance(function, Mapping) else tool).get("name", ""))


def _signature(tool: Tool) -> str:
    """`name(argument,argument)` of a tool definition."""
    function = tool.get("function")
    parameters = (function if isinstance(function, Mapping) else tool).get("parameters")
    properties = parameters.get("properties") if isinstance(parameters, Mapping) else None
    return f"{_tool_name(tool)}({','.join(properties if isinstance(properties, Mapping) else ())})"


def _call_value(call: Mapping[str, Any]) -> dict[str, Any]:
    function = call.get("function") or {}
    arguments = function.get("arguments") or "{}"
    value = _json_or_none(arguments) if isinstance(arguments, str) else arguments
    return {"tool": function.get("name", ""), "args": value if isinstance(value, dict) else arguments}


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _json_or_none(text: str) -> Any:
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        return None


def _parsed_calls(text: str, names: set[str]) -> list[dict[str, Any]]:
    value = _json_or_none(text) if text.lstrip()[:1] in ("{", "[") else None
    calls: list[Any] = value if isinstance(value, list) else [value]
    return calls if all(_is_call(call, names) for call in calls) else []


def _is_call(value: object, names: set[str]) -> bool:
    return (
        isinstance(value, dict)
        and value.keys() == {"tool", "args"}
        and isinstance(value["tool"], str)
        and value["tool"] in names
        and isinstance(value["args"], dict | str)
    )


def _openai_call(call: dict[str, Any]) -> dict[str, Any]:
    arguments = call["args"] if isinstance(call["args"], str) else compact_json(call["args"])
    function = {"name": call["tool"], "arguments": arguments}
    return {"id": f"call_{secrets.token_hex(12)}", "type": "function", "function": function}
