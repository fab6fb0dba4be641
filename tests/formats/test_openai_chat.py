from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from slmhub.formats import Issue, MalformedError, Record, SpanKind, parse_row
from tests.formats.worlds import LOOKUP, chat_row


def answered(message: dict[str, Any]) -> dict[str, Any]:
    return chat_row(response={"choices": [{"message": message, "finish_reason": "stop"}]})


def test_it_reads_a_logged_call() -> None:
    record = parse_row(chat_row())
    assert (record.kind, record.name, record.format) == (
        SpanKind.LLM,
        "chat gpt-4o-2024-08-06",
        "openai_chat",
    )
    assert (record.span_id, record.trace_id, record.session) == ("chatcmpl-1", "chatcmpl-1", "s-1")
    assert record.parameters == {"temperature": 0.0}
    assert [message["role"] for message in record.messages] == ["system", "user"]
    assert record.tools[0]["function"]["name"] == "get_order"
    assert record.output == {"role": "assistant", "content": None, "tool_calls": [LOOKUP]}
    assert (record.usage.input, record.usage.output) == (100, 9)
    assert (record.usage.cached_input, record.usage.reasoning) == (64, 4)
    assert record.finish_reason == "tool_calls"
    assert record.attributes == {"metadata": {"domain": "retail"}, "response_id": "resp-1"}


def test_it_counts_time_in_utc_and_adds_the_latency() -> None:
    record = parse_row(chat_row(timestamp="2024-11-18T10:03:13+01:00"))
    assert record.started_at == datetime(2024, 11, 18, 9, 3, 13, tzinfo=UTC)
    assert record.ended_at == record.started_at + timedelta(seconds=1.5)


@pytest.mark.parametrize("epoch", [1731920593, 1731920593000, "1731920593", 1731920593000000])
def test_it_reads_epochs_of_any_unit(epoch: Any) -> None:
    assert parse_row(chat_row(timestamp=epoch)).started_at == datetime(2024, 11, 18, 9, 3, 13, tzinfo=UTC)


@pytest.mark.parametrize("clock", [0.001, "1970-01-01T00:00:00Z", "2100-01-01T00:00:00Z", "soon", 1e300])
def test_it_keeps_a_call_whose_clock_is_wrong_and_says_so(clock: Any) -> None:
    record = parse_row(chat_row(timestamp=clock))
    assert record.started_at is None
    assert record.attributes["issues"] == [Issue.TIMESTAMP_UNUSABLE]
    assert record.attributes["timestamp"] == clock


def test_it_gives_a_call_without_ids_the_same_id_at_every_delivery() -> None:
    row = {key: value for key, value in chat_row().items() if key not in ("id", "session_id")}
    again = dict(reversed(row.items()))
    other = {**row, "timestamp": "2024-11-18T09:03:14Z"}
    assert parse_row(row).span_id == parse_row(again).span_id != parse_row(other).span_id
    assert parse_row(row).session is None


def test_it_turns_deprecated_functions_into_tools() -> None:
    request = {
        "model": "gpt-3.5-turbo",
        "functions": [{"name": "get_order"}],
        "messages": [
            {"role": "assistant", "content": None, "function_call": {"name": "get_order", "arguments": "{}"}},
            {"role": "function", "name": "get_order", "content": "shipped"},
        ],
    }
    record = parse_row(chat_row(request=request))
    call, result = record.messages
    assert record.tools == [{"type": "function", "function": {"name": "get_order"}}]
    assert call["tool_calls"][0]["function"] == {"name": "get_order", "arguments": "{}"}
    assert "function_call" not in call
    assert (result["role"], result["tool_call_id"]) == ("tool", call["tool_calls"][0]["id"])


@pytest.mark.parametrize("content", ["text", None, [{"type": "text", "text": "a"}, {"type": "image_url"}]])
def test_it_keeps_content_as_it_is(content: Any) -> None:
    output = parse_row(answered({"role": "assistant", "content": content})).output
    assert output is not None
    assert output["content"] == content


def test_it_writes_argument_objects_as_json_text() -> None:
    call = {"function": {"name": "f", "arguments": {"a": [1]}}}
    record = parse_row(answered({"content": None, "tool_calls": [call]}))
    assert record.output is not None
    assert record.output["tool_calls"][0]["function"]["arguments"] == '{"a":[1]}'
    assert "issues" not in record.attributes


def test_it_keeps_arguments_that_are_not_json_and_says_so() -> None:
    call = {"function": {"name": "f", "arguments": "{'a': 1}"}}
    record = parse_row(answered({"content": None, "tool_calls": [call]}))
    assert record.output is not None
    assert record.output["tool_calls"][0]["function"]["arguments"] == "{'a': 1}"
    assert record.attributes["issues"] == [Issue.ARGUMENTS_NOT_JSON]


def test_it_accepts_a_call_that_failed() -> None:
    record = parse_row(chat_row(response=None, error={"message": "rate limited", "code": 429}))
    assert (record.output, record.error) == (None, "rate limited")


@pytest.mark.parametrize(
    ("metadata", "outcome"),
    [
        ({"reward": 1.0}, "success"),
        ({"reward": 0}, "failure"),
        ({"outcome": "success"}, "success"),
        ({"session_outcome": "failure", "reward": 1}, "failure"),
        ({"outcome": "unsure"}, None),
    ],
)
def test_it_knows_the_outcome_of_the_session(metadata: dict[str, Any], outcome: str | None) -> None:
    assert parse_row(chat_row(metadata=metadata)).attributes.get("outcome") == outcome


def test_it_flags_streamed_calls_and_finds_the_session_in_the_metadata() -> None:
    request = {**chat_row()["request"], "stream": True, "metadata": {"conversation_id": "c-9"}}
    record = parse_row({**chat_row(request=request), "session_id": None})
    assert record.attributes["streamed"] is True
    assert record.session == "c-9"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"request": {"messages": "hi"}}, "request.messages is a string"),
        ({"request": {"messages": [{"content": "x"}]}}, r"request.messages\[0\] has no role"),
        ({"request": {"messages": [{"role": "user", "content": 3}]}}, "content is a number"),
        ({"response": {}}, "no choices"),
        ({"response": []}, "response must be an object"),
        ({"response": {"choices": [{"message": {"tool_calls": [{}]}}]}}, "no function name"),
    ],
)
def test_it_says_where_a_row_breaks_its_shape(change: dict[str, Any], reason: str) -> None:
    with pytest.raises(MalformedError, match=reason):
        parse_row(chat_row(**change))


def test_it_reads_a_fine_tuning_line_with_the_last_answer_as_output() -> None:
    record = parse_row(
        {"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]}
    )
    assert isinstance(record, Record)
    assert (record.format, record.messages) == ("openai_finetune", [{"role": "user", "content": "q"}])
    assert record.output == {"role": "assistant", "content": "a"}


def test_it_refuses_a_fine_tuning_line_without_an_answer() -> None:
    with pytest.raises(MalformedError, match="the last message is not the assistant's"):
        parse_row({"messages": [{"role": "user", "content": "q"}]})
