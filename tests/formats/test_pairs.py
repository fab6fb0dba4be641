"""Logged requests and responses of any provider, bare or with the HTTP around them."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from slmhub.formats import MalformedError, Record, SpanKind, parse_row
from slmhub.formats.exchanges import openai_chat, pairs
from slmhub.formats.providers import Provider
from tests.formats.providers.examples import (
    ANTHROPIC_ANSWERED,
    ANTHROPIC_ASKED,
    CHAT_ANSWERED,
    CHAT_ASKED,
    CONVERSE_ANSWERED,
    CONVERSE_ASKED,
    EXAMPLES,
    GEMINI_ANSWERED,
    GEMINI_ASKED,
    NAMES,
    Json,
)


def captured(uri: str, question: Any, answer: Any, *, status: int = 200, **headers: str) -> Json:
    return {
        "request": {"method": "POST", "uri": uri, "headers": headers, "body": question},
        "response": {"status": status, "headers": {}, "body": answer},
    }


@pytest.mark.parametrize(("provider", "question", "answer"), EXAMPLES, ids=NAMES)
def test_it_reads_bare_bodies_of_any_provider(provider: Provider, question: Json, answer: Json) -> None:
    record = parse_row({"request": question, "response": answer})
    assert record.format == provider.NAME
    assert record.messages == provider.asked(question, set()).messages
    assert record.output == provider.answered(answer, set()).output
    assert record.usage == provider.answered(answer, set()).usage


def test_it_keeps_what_stands_beside_the_bodies() -> None:
    record = parse_row(
        {
            "id": "a-1",
            "session_id": "s-1",
            "timestamp": "2024-11-18T09:03:13Z",
            "latency_ms": 1500,
            "user": "u-9",
            "cost": 0.5,
            "tags": ["x"],
            "metadata": {"reward": 1},
            "region": "eu",
            "request": ANTHROPIC_ASKED,
            "response": ANTHROPIC_ANSWERED,
        }
    )
    assert (record.span_id, record.session, record.user, record.cost) == ("a-1", "s-1", "u-9", 0.5)
    assert (record.latency_ms, record.tags, record.attributes["region"]) == (1500, ["x"], "eu")
    assert record.attributes["outcome"] == "success"
    assert record.started_at is not None


def test_chat_completions_stay_with_their_own_format() -> None:
    row = {"request": CHAT_ASKED, "response": CHAT_ANSWERED}
    assert openai_chat.matches(row)
    assert not openai_chat.matches({"request": ANTHROPIC_ASKED, "response": ANTHROPIC_ANSWERED})
    assert parse_row(row) == next(iter(pairs.records(row)))


def test_the_answer_tells_whose_a_bare_request_is() -> None:
    question = {"model": "claude", "max_tokens": 5, "messages": [{"role": "user", "content": "q"}]}
    record = parse_row({"request": question, "response": ANTHROPIC_ANSWERED})
    assert (record.format, record.provider) == ("anthropic_messages", "anthropic")


def test_the_model_is_read_from_the_address() -> None:
    gemini = captured(
        "https://generativelanguage.googleapis.com/v1beta/models/gemini-2.0-flash:generateContent?key=secret",
        GEMINI_ASKED,
        {**GEMINI_ANSWERED, "modelVersion": None},
    )
    bedrock = captured(
        "https://bedrock-runtime.us-east-1.amazonaws.com/model/amazon.nova-micro-v1%3A0/converse",
        CONVERSE_ASKED,
        CONVERSE_ANSWERED,
    )
    assert (parse_row(gemini).model, parse_row(gemini).provider) == ("gemini-2.0-flash", "google")
    assert (parse_row(bedrock).model, parse_row(bedrock).provider) == (
        "amazon.nova-micro-v1:0",
        "aws_bedrock",
    )


def test_no_key_of_the_capture_is_kept() -> None:
    row = captured(
        "https://api.openai.com/v1/chat/completions?key=secret",
        CHAT_ASKED,
        CHAT_ANSWERED,
        authorization="Bearer secret",
    )
    record = parse_row(row)
    assert b"secret" not in orjson.dumps(record.attributes)
    assert record.attributes["url"] == "https://api.openai.com/v1/chat/completions"


def test_the_address_names_the_provider_of_a_shape_that_many_speak() -> None:
    row = captured("https://api.groq.com/openai/v1/chat/completions", CHAT_ASKED, CHAT_ANSWERED)
    assert parse_row(row).provider == "groq"


def test_a_failed_request_is_a_call_with_an_error() -> None:
    row = captured("https://api.openai.com/v1/chat/completions", CHAT_ASKED, "upstream down", status=502)
    record = parse_row(row)
    assert (record.error, record.output) == ("HTTP 502: upstream down", None)
    assert len(record.messages) == 4


def test_a_malformed_request_that_was_sent_is_shown() -> None:
    error = {"error": {"message": "messages must be a list"}}
    row = captured("https://api.openai.com/v1/chat/completions", {"messages": "hi"}, error, status=400)
    record = parse_row(row)
    assert record.messages == [{"role": "user", "content": '{"messages":"hi"}'}]
    assert record.error == "messages must be a list"


def test_a_streamed_answer_is_folded_whoever_streamed_it() -> None:
    stream = 'data: {"choices":[{"index":0,"delta":{"content":"Rain"}}]}\n\ndata: [DONE]\n\n'
    record = parse_row({"request": CHAT_ASKED, "response": stream})
    assert record.output == {"role": "assistant", "content": "Rain"}
    assert record.attributes["streamed"] is True


def test_bodies_may_be_json_in_strings() -> None:
    row = {
        "request": orjson.dumps(ANTHROPIC_ASKED).decode(),
        "response": orjson.dumps(ANTHROPIC_ANSWERED).decode(),
    }
    assert (
        parse_row(row).output
        == parse_row({"request": ANTHROPIC_ASKED, "response": ANTHROPIC_ANSWERED}).output
    )


def test_an_embedding_is_a_span_of_its_kind_without_the_vectors() -> None:
    question = {"model": "text-embedding-3-small", "input": ["a", "b"]}
    vectors = [{"object": "embedding", "embedding": [0.1, 0.2]}, {"embedding": [0.3, 0.4]}]
    record = parse_row({"request": question, "response": {"data": vectors, "usage": {"prompt_tokens": 2}}})
    assert record.kind is SpanKind.EMBEDDING
    assert [message["content"] for message in record.messages] == ["a", "b"]
    assert (record.usage.input, record.attributes["vectors"], record.output) == (2, 2, None)


def test_a_tool_run_over_json_rpc_is_a_tool_span() -> None:
    params = {"name": "lookup", "arguments": {"id": 1}}
    row = captured(
        "https://host/mcp",
        {"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": params},
        {"jsonrpc": "2.0", "id": 7, "result": {"content": []}},
    )
    record = parse_row(row)
    assert (record.kind, record.name) == (SpanKind.TOOL, "lookup")
    assert record.messages[0]["tool_calls"][0]["function"]["arguments"] == '{"id":1}'
    assert record.output == {
        "role": "tool",
        "tool_call_id": "7",
        "name": "lookup",
        "content": '{"content":[]}',
    }


def test_what_is_no_model_call_is_still_visible() -> None:
    record = parse_row(captured("https://api.openai.com/v1/files", {"purpose": "batch"}, {"id": "file-1"}))
    assert (record.kind, record.name) == (SpanKind.OTHER, "POST https://api.openai.com/v1/files")
    assert record.messages == [{"role": "user", "content": '{"purpose":"batch"}'}]
    assert record.output == {"role": "assistant", "content": '{"id":"file-1"}'}


def test_it_refuses_a_row_that_says_nothing() -> None:
    with pytest.raises(MalformedError, match="neither an answer nor an error"):
        parse_row({"request": {}, "response": None})


def test_it_does_not_claim_rows_of_other_shapes() -> None:
    for row in ({"request": {"a": 1}}, {"request": 5, "response": 5}, {"messages": []}, [], "text", None):
        assert not pairs.matches(row)


def test_records_yields_one_record() -> None:
    assert [type(item) for item in pairs.records({"request": CHAT_ASKED, "response": CHAT_ANSWERED})] == [
        Record
    ]
