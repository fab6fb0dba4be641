"""The input line and the output line of one custom_id make one call, whichever is read first."""

from __future__ import annotations

import pytest

from slmhub.formats import MalformedError, Record, SpanKind, parse_row
from slmhub.formats.exchanges import openai_batch
from slmhub.formats.merge import merged
from tests.formats.providers.examples import (
    ANTHROPIC_ANSWERED,
    ANTHROPIC_ASKED,
    CHAT_ANSWERED,
    CHAT_ASKED,
    RESPONSES_ANSWERED,
    RESPONSES_ASKED,
    Json,
)

QUESTION = {"custom_id": "r-1", "method": "POST", "url": "/v1/chat/completions", "body": CHAT_ASKED}
ANSWER = {
    "id": "batch_req_1",
    "custom_id": "r-1",
    "response": {"status_code": 200, "request_id": "q", "body": CHAT_ANSWERED},
    "error": None,
}


def joined(*rows: Json) -> Record:
    first, second = (openai_batch.parse(row) for row in rows)
    return merged(first, second)


def test_each_line_is_a_part_named_by_its_custom_id() -> None:
    for row in (QUESTION, ANSWER):
        record = openai_batch.parse(row)
        assert (record.format, record.trace_id, record.span_id) == ("openai_batch", "", "r-1")
        assert record.partial


def test_both_lines_make_the_call_in_either_order() -> None:
    one, other = joined(QUESTION, ANSWER), joined(ANSWER, QUESTION)
    for record in (one, other):
        assert len(record.messages) == 4
        assert record.output == {"role": "assistant", "content": "Rain."}
        assert (record.usage.input, record.model) == (100, "gpt-4o-2024-08-06")
        assert record.kind is SpanKind.LLM


def test_it_reads_responses_by_the_lines_address() -> None:
    question = {**QUESTION, "url": "/v1/responses", "body": RESPONSES_ASKED}
    answer = {**ANSWER, "response": {"status_code": 200, "body": RESPONSES_ANSWERED}}
    record = joined(question, answer)
    assert [message["role"] for message in record.messages] == ["system", "user", "assistant", "tool"]
    assert record.finish_reason == "tool_calls"


def test_a_failed_line_is_a_call_with_an_error() -> None:
    failed = {**ANSWER, "response": {"status_code": 400, "body": {"error": {"message": "bad model"}}}}
    expired = {
        "custom_id": "r-1",
        "response": None,
        "error": {"code": "batch_expired", "message": "too late"},
    }
    assert joined(QUESTION, failed).error == "bad model"
    assert joined(QUESTION, expired).error == "too late"


def test_it_reads_anthropics_batches() -> None:
    question = {"custom_id": "r-1", "params": ANTHROPIC_ASKED}
    answer = {"custom_id": "r-1", "result": {"type": "succeeded", "message": ANTHROPIC_ANSWERED}}
    record = joined(question, answer)
    assert (record.usage.input, record.provider, len(record.messages)) == (100, "anthropic", 5)


@pytest.mark.parametrize(
    ("result", "error"),
    [
        ({"type": "errored", "error": {"type": "error", "error": {"message": "bad"}}}, "bad"),
        ({"type": "errored", "error": {"type": "invalid_request", "message": "bad"}}, "bad"),
        ({"type": "expired"}, "expired"),
        ({"type": "canceled"}, "canceled"),
    ],
)
def test_an_anthropic_line_without_a_message_says_why(result: Json, error: str) -> None:
    assert parse_row({"custom_id": "r-1", "result": result}).error == error


def test_an_embedding_line_is_no_call() -> None:
    question = {
        "custom_id": "e",
        "method": "POST",
        "url": "/v1/embeddings",
        "body": {"model": "m", "input": "a"},
    }
    body = {"object": "list", "data": [{"embedding": [0.1]}], "usage": {"prompt_tokens": 1}}
    record = joined(question, {"custom_id": "e", "response": {"status_code": 200, "body": body}})
    assert (record.kind, record.attributes["vectors"]) == (SpanKind.EMBEDDING, 1)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"custom_id": "", "body": {}}, "custom_id"),
        (
            {"custom_id": "r", "response": {"status_code": 200, "body": None}},
            "neither a response nor an error",
        ),
        ({"custom_id": "r", "url": "/v1/chat/completions", "body": {"messages": 5}}, "messages"),
    ],
)
def test_it_says_what_is_wrong_with_a_line(row: Json, reason: str) -> None:
    with pytest.raises(MalformedError, match=reason):
        parse_row(row, "openai_batch")
