"""Messages as LangChain writes them come out as the provider's own would."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slmhub.formats.platforms.langchain_messages import is_message, message_of
from slmhub.formats.records import Issue

CALL = {"name": "get_order", "args": {"order_id": "#W1"}, "id": "call_1", "type": "tool_call"}


def constructor(class_name: str, /, **kwargs: Any) -> dict[str, Any]:
    path = ["langchain", "schema", "messages", class_name]
    return {"lc": 1, "type": "constructor", "id": path, "kwargs": kwargs}


def read(value: dict[str, Any]) -> dict[str, Any]:
    assert is_message(value)
    return message_of(value, set())


@pytest.mark.parametrize(
    ("name", "role"),
    [("HumanMessage", "user"), ("AIMessageChunk", "assistant"), ("SystemMessage", "system")],
)
def test_it_reads_the_role_off_the_class(name: str, role: str) -> None:
    assert read(constructor(name, content="hi")) == {"role": role, "content": "hi"}


@pytest.mark.parametrize(
    "value",
    [
        {"type": "human", "content": "hi", "id": None, "example": False},
        {"type": "human", "data": {"content": "hi"}},
        {"role": "user", "content": "hi", "additional_kwargs": {}},
        constructor("ChatMessage", content="hi", role="user"),
    ],
)
def test_it_reads_every_spelling_of_one_message(value: dict[str, Any]) -> None:
    assert read(value) == {"role": "user", "content": "hi"}


def test_it_writes_a_tool_call_as_openai_does() -> None:
    assert read(constructor("AIMessage", content="", tool_calls=[CALL])) == {
        "role": "assistant",
        "content": None,
        "tool_calls": [
            {
                "id": "call_1",
                "type": "function",
                "function": {"name": "get_order", "arguments": '{"order_id":"#W1"}'},
            }
        ],
    }


def test_it_keeps_the_arguments_as_the_model_wrote_them_when_they_are_there() -> None:
    written = {"id": "call_1", "function": {"name": "get_order", "arguments": '{"order_id": "#W1"}'}}
    message = constructor(
        "AIMessage", content="", tool_calls=[CALL], additional_kwargs={"tool_calls": [written]}
    )
    assert read(message)["tool_calls"][0]["function"]["arguments"] == '{"order_id": "#W1"}'


def test_it_finds_the_calls_of_a_role_dict_that_has_them_in_additional_kwargs_only() -> None:
    written = {"id": "call_1", "function": {"name": "get_order", "arguments": "{}"}, "type": "function"}
    message = {"role": "assistant", "content": "", "additional_kwargs": {"tool_calls": [written]}}
    assert read(message)["tool_calls"] == [written]


def test_it_says_a_call_once_that_stands_in_the_content_too() -> None:
    part = {"type": "tool_use", "id": "call_1", "name": "get_order", "input": {"order_id": "#W1"}}
    message = read(
        constructor("AIMessage", content=[{"type": "text", "text": "One moment."}, part], tool_calls=[CALL])
    )
    assert message["content"] == "One moment."
    assert len(message["tool_calls"]) == 1


def test_it_reads_a_call_that_stands_in_the_content_only() -> None:
    part = {"type": "tool_use", "id": "call_1", "name": "get_order", "input": {"order_id": "#W1"}}
    assert read(constructor("AIMessage", content=[part]))["tool_calls"][0]["id"] == "call_1"


def test_it_notes_arguments_that_langchain_could_not_parse() -> None:
    issues: set[Issue] = set()
    broken = {"name": "get_order", "args": '{"order_id": ', "id": "call_1", "error": "…"}
    message = message_of(constructor("AIMessage", content="", invalid_tool_calls=[broken]), issues)
    assert message["tool_calls"][0]["function"]["arguments"] == '{"order_id": '
    assert issues == {Issue.ARGUMENTS_NOT_JSON}


def test_it_links_a_tool_message_with_its_call() -> None:
    message = {"type": "tool", "content": "shipped", "name": "get_order", "tool_call_id": "call_1"}
    assert read({**message, "artifact": None, "status": "success"}) == {
        "role": "tool",
        "content": "shipped",
        "name": "get_order",
        "tool_call_id": "call_1",
    }


def test_it_keeps_reasoning_and_images_as_parts() -> None:
    content = [
        {"type": "thinking", "thinking": "hm", "signature": "s"},
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}},
        {"type": "server_tool_use", "name": "web_search"},
    ]
    assert read(constructor("AIMessage", content=content))["content"] == [
        {"type": "reasoning", "text": "hm"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
        {"type": "server_tool_use", "name": "web_search"},
    ]


@pytest.mark.parametrize(
    "value",
    [
        "hi",
        None,
        [],
        {},
        {"type": "text", "text": "hi"},
        {"type": "ai"},
        constructor("PromptTemplate", content="hi"),
    ],
)
def test_it_claims_nothing_else(value: Any) -> None:
    assert not is_message(value)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
_FIELDS = st.dictionaries(
    st.sampled_from(
        ["content", "tool_calls", "invalid_tool_calls", "additional_kwargs", "name", "role", "id"]
    ),
    _JSON
    | st.lists(
        st.fixed_dictionaries({"type": st.sampled_from(["text", "tool_use", "image"]), "source": _JSON})
    ),
)


@given(st.sampled_from(["AIMessage", "ToolMessage", "HumanMessage"]), _FIELDS)
def test_it_reads_a_role_out_of_anything_it_claims(name: str, fields: dict[str, Any]) -> None:
    for value in (constructor(name, **fields), {"type": "ai", **fields}, {"role": "user", **fields}):
        if is_message(value):
            assert isinstance(message_of(value, set())["role"], str)
