from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from slmhub.formats.otlp import genai_parts
from slmhub.formats.records import Issue, SpanKind, Usage
from tests.formats.otlp.spans import ANSWER, CHAT, INPUT, MESSAGES, OUTPUT, START_NS, event, issues_of, record


def messages_of(parts: list[dict[str, Any]], role: str = "user") -> list[dict[str, Any]]:
    return genai_parts.messages_of([{"role": role, "parts": parts}], set())


def test_it_reads_a_chat_of_json_attributes() -> None:
    call = record()
    assert (call.kind, call.format, call.provider, call.model) == (
        SpanKind.LLM,
        "otel_genai",
        "openai",
        "gpt-4o",
    )
    assert (call.messages, call.output, call.finish_reason) == (MESSAGES, OUTPUT, "stop")
    assert call.usage == Usage(input=12, output=5)
    assert call.started_at == datetime.fromtimestamp(START_NS // 10**9, UTC)
    assert (call.latency_ms, call.emitter, call.attributes) == (1500, "some.instrumentation 1.0", {})


@pytest.mark.parametrize("operation", ["acompletion", "aresponses"])
def test_it_knows_litellms_own_names_of_a_chat(operation: str) -> None:
    assert record({**CHAT, "gen_ai.operation.name": operation}).kind == SpanKind.LLM


def test_it_reads_native_arrays_like_json() -> None:
    native = record({**CHAT, "gen_ai.input.messages": INPUT, "gen_ai.output.messages": ANSWER})
    assert native == record()


def test_it_puts_system_instructions_before_the_messages() -> None:
    instructions = json.dumps([{"type": "text", "content": "Be brief."}])
    call = record({**CHAT, "gen_ai.system_instructions": instructions, "gen_ai.input.messages": INPUT[1:]})
    assert call.messages == [{"role": "system", "content": "Be brief."}, MESSAGES[1]]


def test_it_reads_tool_calls_and_their_answers() -> None:
    asked = messages_of(
        [
            {"type": "text", "content": "I look."},
            {"type": "tool_call", "id": "c1", "name": "get_order", "arguments": {"id": "#W1"}},
        ],
        "assistant",
    )
    assert asked == [
        {
            "role": "assistant",
            "content": "I look.",
            "tool_calls": [
                {
                    "id": "c1",
                    "type": "function",
                    "function": {"name": "get_order", "arguments": '{"id":"#W1"}'},
                }
            ],
        }
    ]
    answered = messages_of(
        [
            {"type": "tool_call_response", "id": "c1", "response": {"status": "sent"}},
            {"type": "tool_call_response", "id": "c2", "response": "none"},
            {"type": "text", "content": "And now?"},
        ],
    )
    assert answered == [
        {"role": "tool", "tool_call_id": "c1", "content": '{"status":"sent"}'},
        {"role": "tool", "tool_call_id": "c2", "content": "none"},
        {"role": "user", "content": "And now?"},
    ]


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        ({"type": "reasoning", "content": "hm"}, {"type": "reasoning", "text": "hm"}),
        (
            {"type": "blob", "modality": "image", "mime_type": "image/png", "content": "AA=="},
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}},
        ),
        (
            {"type": "blob", "modality": "audio", "mime_type": "audio/mp3", "content": "AA=="},
            {"type": "input_audio", "input_audio": {"data": "AA==", "format": "mp3"}},
        ),
        (
            {"type": "uri", "modality": "image", "uri": "https://example.org/a.png"},
            {"type": "image_url", "image_url": {"url": "https://example.org/a.png"}},
        ),
        ({"type": "file", "file_id": "f1"}, {"type": "file", "file": {"file_id": "f1"}}),
        (
            {"type": "server_tool_call", "id": "s", "name": "web_search", "server_tool_call": {}},
            {"type": "server_tool_call", "id": "s", "name": "web_search", "server_tool_call": {}},
        ),
        ({"type": "of_tomorrow", "x": 1}, {"type": "of_tomorrow", "x": 1}),
    ],
)
def test_it_keeps_every_kind_of_part(part: dict[str, Any], expected: dict[str, Any]) -> None:
    assert messages_of([part]) == [{"role": "user", "content": [expected]}]


def test_it_reads_tool_definitions_in_either_shape() -> None:
    schema = {"type": "object"}
    flat = {"type": "function", "name": "a", "description": "A.", "parameters": schema}
    nested = {"type": "function", "function": {"name": "b"}}
    search = {"type": "web_search"}
    call = record({**CHAT, "gen_ai.tool.definitions": json.dumps([flat, nested, search])})
    described = {"name": "a", "description": "A.", "parameters": schema}
    assert call.tools == [{"type": "function", "function": described}, nested, search]


def test_it_reads_the_usage_of_both_generations() -> None:
    assert record(
        {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": "anthropic",
            "gen_ai.usage.input_tokens": "22118",
            "gen_ai.usage.output_tokens": 9,
            "gen_ai.usage.cache_read.input_tokens": 100,
            "gen_ai.usage.cache_creation.input_tokens": 7,
            "gen_ai.usage.reasoning.output_tokens": 4,
        }
    ).usage == Usage(input=22118, output=9, cached_input=100, cache_write=7, reasoning=4)
    old = {"gen_ai.system": "openai", "gen_ai.request.model": "gpt-4", "gen_ai.usage.prompt_tokens": 3}
    assert record({**old, "gen_ai.usage.completion_tokens": 2}).usage == Usage(input=3, output=2)


def test_it_reads_parameters_streaming_and_the_first_chunk() -> None:
    call = record(
        {
            **CHAT,
            "gen_ai.request.temperature": 0.2,
            "gen_ai.request.choice.count": 1,
            "gen_ai.request.stream": True,
            "gen_ai.output.type": "json",
            "openai.request.service_tier": "auto",
            "gen_ai.response.time_to_first_chunk": 0.25,
            "gen_ai.response.id": "r1",
            "gen_ai.response.finish_reasons": ["tool_call"],
        }
    )
    assert call.parameters == {"temperature": 0.2, "n": 1, "output_type": "json", "service_tier": "auto"}
    assert (call.ttft_ms, call.finish_reason) == (250, "tool_calls")
    assert call.attributes == {"response_id": "r1", "streamed": True, "finish_reason_given": "tool_call"}


def test_it_keeps_the_requested_model_beside_another_answering_one() -> None:
    call = record({**CHAT, "gen_ai.response.model": "gpt-4o-2024-08-06"})
    assert (call.model, call.attributes) == ("gpt-4o-2024-08-06", {"gen_ai.request.model": "gpt-4o"})


def test_it_reads_the_call_of_a_tool() -> None:
    call = record(
        {
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.tool.name": "get_order",
            "gen_ai.tool.call.id": "c1",
            "gen_ai.tool.call.arguments": '{"id": "#W1"}',
            "gen_ai.tool.call.result": '{"status": "sent"}',
            "gen_ai.tool.description": "Finds an order.",
        },
        name="execute_tool get_order",
    )
    assert (call.kind, call.name) == (SpanKind.TOOL, "get_order")
    function = {"name": "get_order", "arguments": '{"id": "#W1"}'}
    assert call.messages[0]["tool_calls"] == [{"id": "c1", "type": "function", "function": function}]
    assert call.output == {
        "role": "tool", "tool_call_id": "c1", "content": '{"status": "sent"}', "name": "get_order",
    }  # fmt: skip
    assert call.attributes == {"gen_ai.tool.description": "Finds an order."}


def test_it_reads_the_tool_call_of_an_mcp_server() -> None:
    call = record({"mcp.method.name": "tools/call", "gen_ai.tool.name": "look", "mcp.session.id": "m1"})
    assert (call.kind, call.name, call.attributes["mcp.session.id"]) == (SpanKind.TOOL, "look", "m1")
    assert record({"mcp.method.name": "resources/read"}).kind is SpanKind.OTHER


def test_it_reads_a_retrieval() -> None:
    documents = json.dumps([{"id": "d1", "score": 0.5}])
    call = record(
        {
            "gen_ai.operation.name": "retrieval",
            "gen_ai.retrieval.query.text": "opening hours",
            "gen_ai.retrieval.documents": documents,
        }
    )
    assert call.kind is SpanKind.RETRIEVER
    assert call.messages == [{"role": "user", "content": "opening hours"}]
    assert call.output == {"role": "assistant", "content": documents}


def test_it_reads_the_conversation_and_the_agent() -> None:
    call = record({**CHAT, "gen_ai.conversation.id": "s1", "gen_ai.agent.name": "support", "user.id": "u1"})
    assert (call.session, call.agent, call.user) == ("s1", "support", "u1")
    both = record({**CHAT, "gen_ai.conversation.id": "c1", "session.id": "s1"})
    assert (both.session, both.attributes["gen_ai.conversation.id"]) == ("s1", "c1")


def test_it_reads_session_user_and_environment_of_the_resource() -> None:
    resource = {
        "service.name": "shop", "deployment.environment": "prod", "session.id": "s1", "user.id": "u1",
        "telemetry.sdk.name": "opentelemetry",
    }  # fmt: skip
    call = record(resource=resource)
    assert (call.session, call.user, call.environment) == ("s1", "u1", "prod")
    assert call.attributes == {"resource": {"service.name": "shop"}}


def test_it_tells_the_error_of_a_failed_call() -> None:
    raised = event("exception", **{"exception.type": "TimeoutError", "exception.message": "too slow"})
    assert record(status_code=2, status_message="no answer").error == "no answer"
    assert record(status_code=2, events=[raised]).error == "TimeoutError: too slow"
    assert record(events=[raised]).error == "TimeoutError: too slow"
    assert record(events=[raised], status_code=1).error is None
    assert record({**CHAT, "error.type": "rate_limit"}).error == "rate_limit"
    assert record(status_code=2).error == "error"
    assert record(status_code=2, events=[raised]).attributes["events"][0]["name"] == "exception"


def test_it_keeps_evaluations_with_the_span() -> None:
    judged = event("gen_ai.evaluation.result", **{"gen_ai.evaluation.name": "polite"})
    assert record(events=[judged]).attributes["events"][0]["attributes"] == {
        "gen_ai.evaluation.name": "polite"
    }


def test_it_notes_a_span_that_ends_before_it_starts() -> None:
    call = record(end_ns=START_NS - 5)
    assert (issues_of(call), call.ended_at, call.latency_ms) == ([Issue.CLOCK_SKEW], None, None)
    assert call.attributes["clock_ns"] == [START_NS, START_NS - 5]


@pytest.mark.parametrize("start_ns", [0, 5, 2**64 - 1])
def test_it_notes_a_clock_that_is_none(start_ns: int) -> None:
    call = record(start_ns=start_ns)
    assert (call.started_at, issues_of(call)) == (None, [Issue.TIMESTAMP_UNUSABLE])


def test_it_notes_attributes_that_the_emitter_dropped() -> None:
    call = record(dropped=3)
    assert (call.dropped, issues_of(call)) == (3, [Issue.ATTRIBUTES_DROPPED])


def test_it_notes_json_that_was_cut_off_and_keeps_it_raw() -> None:
    cut = CHAT["gen_ai.input.messages"][:60]
    call = record({**CHAT, "gen_ai.input.messages": cut})
    assert issues_of(call) == [Issue.TRUNCATED]
    assert (call.messages, call.attributes["gen_ai.input.messages"]) == ([], cut)


def test_it_notes_a_model_call_without_content() -> None:
    bare = {key: value for key, value in CHAT.items() if not key.endswith("messages")}
    assert issues_of(record(bare)) == [Issue.CONTENT_OFF]
    assert issues_of(record(bare, dropped=9)) == [Issue.ATTRIBUTES_DROPPED]


def test_it_replaces_nul_even_where_json_hides_it() -> None:
    hidden = json.dumps([{"role": "user", "parts": [{"type": "text", "content": "a\0b"}]}])
    call = record({**CHAT, "gen_ai.input.messages": hidden, "note": "c\0d"})
    assert call.messages == [{"role": "user", "content": "a\ufffdb"}]
    assert (call.attributes["note"], issues_of(call)) == ("c\ufffdd", [Issue.NUL_REPLACED])


def test_it_keeps_an_emitters_own_issues_apart() -> None:
    call = record({**CHAT, "issues": 7}, dropped=1)
    assert (call.attributes["span.issues"], issues_of(call)) == (7, [Issue.ATTRIBUTES_DROPPED])


def test_it_notes_several_answers_and_takes_the_first() -> None:
    call = record({**CHAT, "gen_ai.output.messages": json.dumps([*ANSWER, *ANSWER])})
    assert (call.output, issues_of(call)) == (OUTPUT, [Issue.SEVERAL_CHOICES])
