"""OpenAI chat messages and tools, checked and brought to their current shape."""

from __future__ import annotations

from typing import Any

from slmhub.formats.parts import arguments_of
from slmhub.formats.records import Issue, MalformedError, Message


def messages_of(value: Any, issues: set[Issue], where: str = "messages") -> list[Message]:
    """Checked copies of a list of chat messages. Raises MalformedError."""
    if not isinstance(value, list):
        raise MalformedError(f"{where} is {_type(value)}, expected a list of messages")
    return [message_of(item, issues, f"{where}[{index}]") for index, item in enumerate(value)]


def message_of(value: Any, issues: set[Issue], where: str) -> Message:
    """One message: content a string, null or parts; function_call as tool_calls. Raises MalformedError."""
    if not isinstance(value, dict):
        raise MalformedError(f"{where} is {_type(value)}, expected an object with role and content")
    role = value.get("role")
    if not isinstance(role, str) or not role:
        raise MalformedError(f"{where} has no role")
    message = dict(value)
    message["content"] = _content_of(value.get("content"), where)
    if value.get("tool_calls"):
        message["tool_calls"] = _tool_calls_of(value["tool_calls"], issues, where)
    else:
        message.pop("tool_calls", None)
    if message.get("function_call"):
        function = _function_of(message.pop("function_call"), issues, where)
        call = {"id": _function_id(function["name"]), "type": "function", "function": function}
        message["tool_calls"] = [*message.get("tool_calls", ()), call]
    if role == "function":
        message["role"] = "tool"
        message.setdefault("tool_call_id", _function_id(str(message.get("name", ""))))
    return message


def tools_of(request: dict[str, Any]) -> list[dict[str, Any]]:
    """The request's tools; deprecated `functions` become tools. Raises MalformedError."""
    tools = request.get("tools") or []
    functions = request.get("functions") or []
    if not isinstance(tools, list) or not isinstance(functions, list):
        raise MalformedError("tools and functions must be lists")
    wrapped = [{"type": "function", "function": function} for function in functions]
    for index, tool in enumerate([*tools, *wrapped]):
        if not isinstance(tool, dict):
            raise MalformedError(f"tools[{index}] is {_type(tool)}, expected an object")
    return [*tools, *wrapped]


def _content_of(content: Any, where: str) -> str | list[Any] | None:
    if content is None or isinstance(content, str):
        return content
    if not isinstance(content, list):
        raise MalformedError(f"{where}.content is {_type(content)}, expected text, null or a list of parts")
    parts: list[Any] = []
    for index, part in enumerate(content):
        if isinstance(part, str):
            part = {"type": "text", "text": part}
        elif not isinstance(part, dict):
            raise MalformedError(f"{where}.content[{index}] is {_type(part)}, expected a part")
        parts.append(part)
    return parts


def _tool_calls_of(calls: Any, issues: set[Issue], where: str) -> list[dict[str, Any]]:
    if not isinstance(calls, list):
        raise MalformedError(f"{where}.tool_calls is {_type(calls)}, expected a list")
    checked: list[dict[str, Any]] = []
    for index, call in enumerate(calls):
        here = f"{where}.tool_calls[{index}]"
        if not isinstance(call, dict):
            raise MalformedError(f"{here} is {_type(call)}, expected an object")
        if isinstance(call.get("custom"), dict):
            checked.append(call)
            continue
        # `index` only orders the pieces of a streamed answer.
        kept = {key: value for key, value in call.items() if key != "index"}
        function = _function_of(call.get("function"), issues, here)
        checked.append({**kept, "type": "function", "function": function})
    return checked


def _function_of(function: Any, issues: set[Issue], where: str) -> dict[str, Any]:
    name = function.get("name") if isinstance(function, dict) else None
    if not isinstance(name, str) or not name:
        raise MalformedError(f"{where} has no function name")
    return {**function, "arguments": arguments_of(function.get("arguments"), issues)}


def _function_id(name: str) -> str:
    # Deprecated function calls carry no id: the name links a call with its result.
    return f"function_{name}"


def _type(value: Any) -> str:
    names = {dict: "an object", list: "a list", str: "a string", bool: "a boolean", type(None): "null"}
    return names.get(type(value), "a number")
