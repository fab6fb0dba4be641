"""Tool calls of any message, read once."""

from __future__ import annotations

from typing import Any

import pytest

from slmhub.formats.tool_calls import ToolCall, tool_calls_of


def test_functions_and_custom_tools_are_read() -> None:
    function = {"id": "c1", "type": "function", "function": {"name": "look_up", "arguments": '{"id": 1}'}}
    custom = {"id": "c2", "type": "custom", "custom": {"name": "shell", "input": "ls"}}
    read = tool_calls_of({"role": "assistant", "tool_calls": [function, custom]})
    assert read == [
        ToolCall(name="look_up", arguments='{"id": 1}', id="c1"),
        ToolCall(name="shell", input="ls", id="c2"),
    ]
    assert [call.text for call in read] == ['{"id": 1}', "ls"]


def test_arguments_that_are_no_text_are_read_as_json() -> None:
    (call,) = tool_calls_of({"tool_calls": [{"function": {"name": "f", "arguments": {"a": [1]}}}]})
    assert call.arguments == '{"a":[1]}'


@pytest.mark.parametrize(
    "message", [None, {}, {"tool_calls": None}, {"tool_calls": "f()"}, {"tool_calls": ["f", 1, None]}]
)
def test_what_is_no_tool_call_is_none(message: Any) -> None:
    assert tool_calls_of(message) == []


@pytest.mark.parametrize("call", [{}, {"function": None}, {"function": "f"}, {"function": {"name": None}}])
def test_what_a_call_lacks_is_empty(call: dict[str, Any]) -> None:
    assert tool_calls_of({"tool_calls": [call]}) == [ToolCall()]
