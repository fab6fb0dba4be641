"""Streams fold into the answer that they add up to, and answers unfold into streams."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from slmhub.demo.teacher import _chunks
from slmhub.formats.providers.chat_stream import fold, unfold

HEAD = {"id": "chatcmpl-1", "created": 5, "model": "m", "system_fingerprint": "simulated-teacher"}
CALLS = [
    {"id": "call_1", "type": "function", "function": {"name": "lookup", "arguments": '{"order": "A-1"}'}},
    {"id": "call_2", "type": "function", "function": {"name": "refund", "arguments": "{}"}},
]
MESSAGES = [
    {"role": "assistant", "content": "Hello, where is it? é 中 🚚"},
    {"role": "assistant", "content": None, "tool_calls": CALLS},
    {"role": "assistant", "content": "Let me look.", "tool_calls": CALLS[:1]},
]


def sse(*chunks: Any, done: bool = True) -> bytes:
    lines = [b"data: " + orjson.dumps(chunk) + b"\n\n" for chunk in chunks]
    return b"".join(lines) + (b"data: [DONE]\n\n" if done else b"")


def answer(message: dict[str, Any], **fields: Any) -> dict[str, Any]:
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    return {"id": "c", "object": "chat.completion", "created": 5, "model": "m", "choices": [choice], **fields}


def delta(**fields: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": fields, "finish_reason": None}]}


@pytest.mark.parametrize("message", MESSAGES)
def test_it_folds_the_demo_teachers_stream(message: dict[str, Any]) -> None:
    usage = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
    folded = fold(sse(*_chunks(HEAD, message, "stop", usage)))

    assert folded == {
        **HEAD,
        "object": "chat.completion",
        "usage": usage,
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
    }


@pytest.mark.parametrize("message", MESSAGES)
def test_unfolding_and_folding_gives_the_answer_back(message: dict[str, Any]) -> None:
    given_answer = answer(message, usage={"total_tokens": 9})

    assert fold(b"".join(unfold(given_answer, with_usage=True))) == given_answer


def test_usage_is_told_only_when_it_is_wanted() -> None:
    plain = b"".join(unfold(answer(MESSAGES[0], usage={"total_tokens": 9})))

    assert "usage" not in fold(plain)
    assert plain.endswith(b"data: [DONE]\n\n")


def test_a_stream_that_breaks_off_gives_what_has_come() -> None:
    folded = fold(sse(delta(role="assistant", content="Hal"), done=False) + b'data: {"choices": [{"del')

    assert folded["choices"][0] == {
        "index": 0,
        "message": {"role": "assistant", "content": "Hal"},
        "finish_reason": None,
    }


def test_other_choices_and_comments_are_passed_over() -> None:
    second = {"choices": [{"index": 1, "delta": {"content": "other"}, "finish_reason": "stop"}]}
    folded = fold(
        b": keep-alive\n\nevent: x\n" + sse(delta(content="a"), second, [1], "x", delta(content="b"))
    )

    assert folded["choices"][0]["message"]["content"] == "ab"


def test_lines_may_end_either_way_and_need_no_space() -> None:
    assert fold(b'data:{"choices":[{"delta":{"content":"a"}}]}\r\n\r\ndata:[DONE]\r\n')["choices"][0][
        "message"
    ] == {
        "role": "assistant",
        "content": "a",
    }


ODD = [
    {"choices": None},
    {"choices": "x"},
    {"choices": [5]},
    {"choices": [{"index": 0, "delta": "x"}]},
    {"choices": [{"index": 0, "delta": {"tool_calls": 5}}]},
    {"choices": [{"index": 0, "delta": {"tool_calls": [5]}}]},
    {"choices": [{"index": 0, "delta": {"tool_calls": [{"index": 10**9, "function": {"name": "x"}}]}}]},
    {"choices": [{"index": 0, "delta": {"tool_calls": [{"index": "0", "function": {"arguments": 5}}]}}]},
    {"choices": [{"index": 0, "delta": {"tool_calls": [{"index": -1, "function": "x", "id": 7}]}}]},
]


@pytest.mark.parametrize("chunk", ODD)
def test_an_odd_chunk_breaks_nothing(chunk: Any) -> None:
    folded = fold(sse(delta(content="a"), chunk, delta(content="b")))

    assert folded["choices"][0]["message"]["content"] == "ab"
    assert len(folded["choices"][0]["message"].get("tool_calls", [])) <= 1


@given(st.binary(max_size=200))
def test_no_bytes_break_it(stream: bytes) -> None:
    assert fold(b"data: " + stream)["object"] == "chat.completion"
