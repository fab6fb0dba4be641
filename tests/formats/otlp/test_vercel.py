from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slmhub.formats.otlp import vercel
from slmhub.formats.platforms import vercel_spans
from slmhub.formats.records import Issue, MalformedError, Record, Reject, SpanKind, Usage
from tests.formats.otlp.readings import DATA, JSON, attributes_of, needs_data, reading, record, span

FILES = DATA / "wire" / "openinference_vercel_spans"
GENERATE = {"ai.operationId": "ai.generateText.doGenerate"}


def prompted(*messages: dict[str, Any]) -> dict[str, Any]:
    return {**GENERATE, "ai.prompt.messages": json.dumps(messages)}


@pytest.mark.parametrize(
    ("operation", "kind"),
    [
        ("ai.generateText", SpanKind.CHAIN),
        ("ai.generateText.doGenerate", SpanKind.LLM),
        ("ai.streamObject.doStream", SpanKind.LLM),
        ("ai.embedMany", SpanKind.CHAIN),
        ("ai.embedMany.doEmbed", SpanKind.EMBEDDING),
        ("ai.toolCall", SpanKind.TOOL),
    ],
)
def test_it_takes_only_the_inner_span_for_the_call(operation: str, kind: SpanKind) -> None:
    found = record({"ai.operationId": operation, "ai.usage.promptTokens": 7})
    assert found.kind is kind
    assert found.usage.input == (7 if kind in (SpanKind.LLM, SpanKind.EMBEDDING) else None)
    assert ("usage_reported" in found.attributes) == (found.usage.input is None)


def test_it_reads_calls_and_results_of_tools_among_the_messages() -> None:
    found, _ = reading(
        vercel,
        prompted(
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": [{"type": "text", "text": "Hi"}]},
            {
                "role": "assistant",
                "content": [
                    {"type": "reasoning", "text": "Hm."},
                    {"type": "tool-call", "toolCallId": "c1", "toolName": "look", "args": {"a": 1}},
                    {"type": "tool-call", "toolCallId": "c2", "toolName": "look", "input": {"a": 2}},
                ],
            },
            {
                "role": "tool",
                "content": [
                    {"type": "tool-result", "toolCallId": "c1", "toolName": "look", "result": {"b": 1}},
                    {
                        "type": "tool-result",
                        "toolCallId": "c2",
                        "toolName": "look",
                        "output": {"type": "text", "value": "two"},
                    },
                ],
            },
        ),
    )
    system, user, assistant, first, second = found.messages
    assert (system["content"], user["content"]) == ("Be brief.", "Hi")
    assert assistant["content"] == [{"type": "reasoning", "text": "Hm."}]
    assert [call["function"]["arguments"] for call in assistant["tool_calls"]] == ['{"a":1}', '{"a":2}']
    assert first == {"role": "tool", "tool_call_id": "c1", "content": '{"b":1}', "name": "look"}
    assert second["content"] == "two"


def test_it_notes_messages_that_were_cut_off() -> None:
    cut = '[{"role": "user", "content": "H'
    found, issues = reading(vercel, {**GENERATE, "ai.prompt.messages": cut})
    assert found.messages == [{"role": "user", "content": cut}]
    assert issues == {Issue.TRUNCATED}


def test_it_reads_images_and_files() -> None:
    found, _ = reading(
        vercel,
        prompted(
            {
                "role": "user",
                "content": [
                    {"type": "image", "image": "https://e.org/a.png"},
                    {"type": "file", "data": "QQ==", "mediaType": "image/png"},
                    {"type": "file", "data": "QQ==", "mediaType": "application/pdf", "filename": "a.pdf"},
                    {"type": "hologram", "data": 1},
                ],
            }
        ),
    )
    assert found.messages[0]["content"] == [
        {"type": "image_url", "image_url": {"url": "https://e.org/a.png"}},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,QQ=="}},
        {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,QQ=="}},
        {"type": "hologram", "data": 1},
    ]


def test_it_reads_the_prompt_of_a_wrapper() -> None:
    prompt = {"system": "Be brief.", "prompt": "Hi"}
    found, _ = reading(vercel, {"ai.operationId": "ai.generateText", "ai.prompt": json.dumps(prompt)})
    assert found.messages == [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}]


def test_it_reads_tools_and_the_choice_among_them() -> None:
    tool = {"type": "function", "name": "look", "inputSchema": {"type": "object"}}
    found, _ = reading(
        vercel,
        {
            **GENERATE,
            "ai.prompt.tools": [json.dumps(tool)],
            "ai.prompt.toolChoice": '{"type": "tool", "toolName": "look"}',
            "ai.settings.temperature": 0.5,
            "ai.settings.maxOutputTokens": 100,
        },
    )
    assert found.tools == [
        {"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}
    ]
    assert found.parameters == {
        "temperature": 0.5,
        "max_tokens": 100,
        "tool_choice": {"type": "function", "function": {"name": "look"}},
    }


def test_it_reads_the_answer() -> None:
    calls = [{"toolCallType": "function", "toolCallId": "c1", "toolName": "look", "args": '{"a": 1}'}]
    found, _ = reading(
        vercel,
        {
            **GENERATE,
            "ai.model.provider": "google.generative-ai",
            "ai.model.id": "gemini-2.5-flash",
            "ai.response.text": "Wait.",
            "ai.response.reasoning": "Hm.",
            "ai.response.toolCalls": json.dumps(calls),
            "ai.response.finishReason": "tool-calls",
            "ai.response.msToFirstChunk": 12.5,
            "ai.response.id": "r-1",
            "ai.usage.inputTokens": 10,
            "ai.usage.outputTokens": 5,
            "ai.usage.cachedInputTokens": 4,
            "ai.usage.reasoningTokens": 3,
        },
    )
    assert found.output is not None
    assert found.output["content"] == [
        {"type": "reasoning", "text": "Hm."},
        {"type": "text", "text": "Wait."},
    ]
    assert found.output["tool_calls"][0]["function"] == {"name": "look", "arguments": '{"a": 1}'}
    assert (found.provider, found.model, found.ttft_ms) == ("google", "gemini-2.5-flash", 12.5)
    assert (found.finish_reason, found.finish_reason_given) == ("tool_calls", "tool-calls")
    assert found.usage == Usage(input=10, output=5, cached_input=4, reasoning=3)
    assert found.response_id == "r-1"


def test_it_finds_session_user_and_tags_in_the_metadata() -> None:
    about = "ai.telemetry.metadata"
    found, _ = reading(
        vercel,
        {
            **GENERATE,
            "ai.telemetry.functionId": "desk",
            f"{about}.userId": "u-1",
            f"{about}.sessionId": "s-1",
            f"{about}.tags": ["a", "b"],
            f"{about}.shop": "north",
        },
    )
    assert (found.agent, found.user, found.session, found.tags) == ("desk", "u-1", "s-1", ["a", "b"])
    assert found.metadata == {"shop": "north"}


def test_it_adds_to_the_conventions_what_version_7_says_beside_them() -> None:
    found = record(
        {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": "openai",
            "gen_ai.agent.name": "desk",
            "gen_ai.input.messages": '[{"role": "user", "parts": [{"type": "text", "content": "Hi"}]}]',
            "gen_ai.usage.input_tokens": 3,
            "ai.settings.context.userId": "u-1",
            "ai.settings.context.shop": "north",
        }
    )
    assert (found.kind, found.format, found.user) == (SpanKind.LLM, "otel_genai", "u-1")
    assert found.messages == [{"role": "user", "content": "Hi"}]
    assert found.usage.input == 3
    assert found.attributes["metadata"] == {"shop": "north"}


def test_it_reads_a_tool_span() -> None:
    found = record(
        {
            "ai.operationId": "ai.toolCall",
            "ai.toolCall.id": "c1",
            "ai.toolCall.name": "look",
            "ai.toolCall.args": '{"a": 1}',
            "ai.toolCall.result": '"found"',
        }
    )
    assert (found.kind, found.name) == (SpanKind.TOOL, "look")
    assert found.messages[0]["tool_calls"][0]["id"] == "c1"
    assert found.output == {"role": "tool", "tool_call_id": "c1", "content": "found", "name": "look"}


def read_file(path: Path) -> list[Record | Reject]:
    row = json.loads(path.read_text())
    assert vercel_spans.matches(row)
    return list(vercel_spans.records(row))


@needs_data
def test_it_reads_every_printed_span() -> None:
    for path in sorted(FILES.glob("*.json")):
        if path.name == "capture-results.json":
            continue
        for found in read_file(path):
            assert isinstance(found, Record)
            is_call = found.name.endswith((".doGenerate", ".doStream"))
            assert found.format == "vercel_ai"
            assert (found.kind is SpanKind.LLM) == is_call
            assert found.messages
            assert (found.latency_ms or 0) > 0
            if is_call:
                assert (found.output or {})["content"]
                assert (found.usage.input or 0) > 0
                assert (found.usage.output or 0) > 0
                assert found.finish_reason == "stop"
                assert (found.model, found.provider) == ("gpt-4o-mini-2024-07-18", "openai")


@needs_data
def test_it_reads_the_same_spans_from_a_list_and_by_operation() -> None:
    by_id = [
        {found.span_id: found for found in read_file(FILES / name) if isinstance(found, Record)}
        for name in ("all-spans.json", "spans-by-operation.json")
    ]
    assert by_id[0] == by_id[1]
    assert len(by_id[0]) == 10


@needs_data
def test_it_keeps_no_vector_and_the_time_to_the_first_chunk() -> None:
    (embedded,) = read_file(FILES / "ai-embed-doEmbed.json")
    (streamed,) = read_file(FILES / "ai-streamText-doStream.json")
    assert isinstance(embedded, Record)
    assert isinstance(streamed, Record)
    assert embedded.messages == [{"role": "user", "content": "The quick brown fox jumps over the lazy dog."}]
    assert embedded.attributes["vectors"] == 1
    assert "ai.embeddings" not in embedded.attributes
    assert streamed.ttft_ms == pytest.approx(426.85, abs=0.01)
    assert streamed.attributes["streamed"] is True


@needs_data
def test_it_says_that_a_summary_of_a_capture_holds_no_spans() -> None:
    with pytest.raises(MalformedError, match="holds no spans"):
        read_file(FILES / "capture-results.json")


def test_it_rejects_one_bad_span_and_reads_the_rest() -> None:
    good = {"name": "a", "spanContext": {"traceId": "t", "spanId": "s"}, "attributes": GENERATE}
    found = list(vercel_spans.records([good, {"name": "b"}, {**good, "spanContext": {}}]))
    assert [type(item) for item in found] == [Record, Reject, Reject]


_SPANS = st.fixed_dictionaries(
    {"spanContext": JSON, "attributes": JSON},
    optional=dict.fromkeys(("name", "startTime", "endTime", "status", "events", "parentSpanContext"), JSON),
)


@given(st.lists(JSON | _SPANS, max_size=5))
def test_it_never_raises_anything_but_malformed(row: list[Any]) -> None:
    vercel_spans.matches(row)
    with contextlib.suppress(MalformedError):
        list(vercel_spans.records(row))


@given(
    attributes_of(
        "ai.operationId", "ai.prompt", "ai.prompt.messages", "ai.prompt.tools", "ai.prompt.toolChoice",
        "ai.response.text", "ai.response.object", "ai.response.toolCalls", "ai.response.files",
        "ai.response.reasoning", "ai.response.finishReason", "ai.response.msToFirstChunk",
        "ai.model.provider", "ai.toolCall.name", "ai.toolCall.args", "ai.toolCall.result", "ai.value",
        "ai.values", "ai.embeddings", "ai.telemetry.metadata.tags", "ai.telemetry.metadata.userId",
        "ai.schema", "ai.usage.promptTokens", "ai.settings.temperature", "ai.telemetry.functionId",
        "gen_ai.operation.name",
    )
)  # fmt: skip
def test_it_never_raises(attributes: dict[str, Any]) -> None:
    vercel.read(span(attributes), set())
    record(attributes)
