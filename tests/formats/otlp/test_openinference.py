from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given

from slmhub.formats.otlp import openinference
from slmhub.formats.records import Issue, SpanKind, Usage
from tests.formats.otlp.readings import (
    attributes_of,
    logged_calls,
    needs_data,
    reading,
    record,
    replayed_calls,
    replayed_spans,
    said,
    span,
)

LLM = {"openinference.span.kind": "LLM"}
IN, OUT = "llm.input_messages", "llm.output_messages"
CALL = f"{OUT}.0.message.tool_calls.0.tool_call"
REQUEST = json.dumps(
    {
        "model": "gpt-4o",
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}],
        "tools": [{"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}],
    }
)


def test_it_puts_flattened_messages_back_in_order() -> None:
    found, issues = reading(
        openinference,
        {
            **LLM,
            f"{IN}.10.message.role": "user",
            f"{IN}.10.message.content": "last",
            **{f"{IN}.{index}.message.role": "user" for index in range(10)},
            **{f"{IN}.{index}.message.content": str(index) for index in range(10)},
        },
    )
    assert [message["content"] for message in found.messages] == [*map(str, range(10)), "last"]
    assert not issues


def test_it_reads_tool_calls_and_their_results() -> None:
    found, _ = reading(
        openinference,
        {
            **LLM,
            f"{IN}.0.message.role": "tool",
            f"{IN}.0.message.tool_call_id": "call_1",
            f"{IN}.0.message.name": "look",
            f"{OUT}.0.message.role": "assistant",
            f"{CALL}.id": "call_2",
            f"{CALL}.function.name": "look",
            f"{CALL}.function.arguments": '{"a": 1}',
        },
    )
    # The emitter leaves out an empty text.
    assert found.messages == [{"role": "tool", "content": "", "tool_call_id": "call_1", "name": "look"}]
    function = {"name": "look", "arguments": '{"a": 1}'}
    call = {"id": "call_2", "type": "function", "function": function}
    assert found.output == {"role": "assistant", "content": None, "tool_calls": [call]}


def test_it_reads_the_deprecated_function_call() -> None:
    found, _ = reading(
        openinference,
        {
            **LLM,
            f"{OUT}.0.message.function_call_name": "look",
            f"{OUT}.0.message.function_call_arguments_json": "{}",
        },
    )
    assert found.output is not None
    assert found.output["role"] == "assistant"
    assert found.output["tool_calls"][0]["function"] == {"name": "look", "arguments": "{}"}


def test_it_reads_parts() -> None:
    part = f"{IN}.0.message.contents"
    found, _ = reading(
        openinference,
        {
            **LLM,
            f"{IN}.0.message.role": "user",
            f"{part}.0.message_content.type": "text",
            f"{part}.0.message_content.text": "What is this?",
            f"{part}.1.message_content.type": "image",
            f"{part}.1.message_content.image.image.url": "https://example.org/a.png",
            f"{part}.2.message_content.type": "audio",
            f"{part}.2.message_content.audio.audio.url": "data:audio/wav;base64,QQ==",
            f"{part}.3.message_content.type": "reasoning",
            f"{part}.3.message_content.text": "Hm.",
            f"{part}.3.message_content.signature": "s",
            f"{part}.4.message_content.type": "hologram",
            f"{part}.4.message_content.data": "?",
        },
    )
    assert found.messages[0]["content"] == [
        {"type": "text", "text": "What is this?"},
        {"type": "image_url", "image_url": {"url": "https://example.org/a.png"}},
        {"type": "input_audio", "input_audio": {"data": "QQ==", "format": "wav"}},
        {"type": "reasoning", "text": "Hm.", "signature": "s"},
        {"type": "hologram", "data": "?"},
    ]


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}},
        {"name": "look", "input_schema": {"type": "object"}},
        {"type": "function", "name": "look", "parameters": {"type": "object"}},
        {"toolSpec": {"name": "look", "inputSchema": {"json": {"type": "object"}}}},
    ],
)
def test_it_brings_tool_definitions_to_one_shape(schema: dict[str, Any]) -> None:
    found, _ = reading(openinference, {**LLM, "llm.tools.0.tool.json_schema": json.dumps(schema)})
    assert found.tools == [
        {"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}
    ]


def test_it_keeps_a_tool_of_the_provider() -> None:
    search = {"type": "web_search_20250305", "name": "web_search", "max_uses": 5}
    found, _ = reading(openinference, {**LLM, "llm.tools.0.tool.json_schema": json.dumps(search)})
    assert found.tools == [search]


def test_it_reads_what_surrounds_the_call() -> None:
    found, _ = reading(
        openinference,
        {
            **LLM,
            "llm.provider": "openai",
            "llm.model_name": "gpt-4o",
            "llm.invocation_parameters": '{"model": "gpt-4o", "temperature": 0.5, "messages": []}',
            "llm.token_count.prompt": "100",
            "llm.token_count.completion": 20,
            "llm.token_count.prompt_details.cache_read": 60,
            "llm.token_count.completion_details.reasoning": 8,
            "llm.cost.total": 0.25,
            "llm.finish_reason": "max_tokens",
            "session.id": "s-1",
            "user.id": "u-1",
            "agent.name": "desk",
            "tag.tags": ["a", "b"],
            "metadata": '{"reward": 1}',
        },
    )
    assert (found.kind, found.provider, found.model) == (SpanKind.LLM, "openai", "gpt-4o")
    assert found.parameters == {"temperature": 0.5}
    assert found.usage == Usage(input=100, output=20, cached_input=60, reasoning=8)
    assert (found.cost, found.session, found.user, found.agent) == (0.25, "s-1", "u-1", "desk")
    assert (found.finish_reason, found.finish_reason_given) == ("length", "max_tokens")
    assert (found.tags, found.metadata) == (["a", "b"], {"reward": 1})


def test_it_adds_cached_tokens_that_were_counted_beside_the_input() -> None:
    found, _ = reading(
        openinference,
        {**LLM, "llm.token_count.prompt": 10, "llm.token_count.prompt_details.cache_read": 90},
    )
    assert found.usage.input == 100


def test_it_adds_up_a_cost_without_a_total() -> None:
    found, _ = reading(openinference, {**LLM, "llm.cost.prompt": 0.5, "llm.cost.completion": 0.25})
    assert found.cost == 0.75


def test_it_falls_back_to_the_raw_request_when_messages_were_dropped() -> None:
    attributes = {
        **LLM,
        "input.value": REQUEST,
        f"{IN}.1.message.role": "user",
        f"{IN}.1.message.content": "Hi",
    }
    found, issues = reading(openinference, attributes, dropped=3)
    assert [message["content"] for message in found.messages] == ["Be brief.", "Hi"]
    assert found.tools[0]["function"]["name"] == "look"
    assert issues == {Issue.ATTRIBUTES_DROPPED}


def test_it_falls_back_when_the_last_messages_were_dropped() -> None:
    attributes = {
        **LLM,
        "input.value": REQUEST,
        f"{IN}.0.message.role": "system",
        f"{IN}.0.message.content": "B",
    }
    assert len(reading(openinference, attributes, dropped=3)[0].messages) == 2
    assert len(reading(openinference, attributes)[0].messages) == 1


def test_it_keeps_the_messages_that_are_left_when_the_raw_request_was_dropped_too() -> None:
    found, issues = reading(
        openinference,
        {
            **LLM,
            f"{IN}.7.message.name": "look",
            f"{IN}.8.message.role": "user",
            f"{IN}.8.message.content": "Hi",
        },
        dropped=40,
    )
    assert [message["role"] for message in found.messages] == ["tool", "user"]
    assert Issue.ATTRIBUTES_DROPPED in issues


def test_it_reads_a_call_that_holds_only_raw_values() -> None:
    answer = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "choices": [
            {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Hello"}}
        ],
        "usage": {"prompt_tokens": 3, "completion_tokens": 1},
    }
    found, _ = reading(openinference, {**LLM, "input.value": REQUEST, "output.value": json.dumps(answer)})
    assert len(found.messages) == 2
    assert found.output == {"role": "assistant", "content": "Hello"}
    assert (found.response_id, found.finish_reason) == ("chatcmpl-1", "stop")
    assert (found.usage.input, found.usage.output) == (3, 1)


def test_it_notes_a_raw_request_that_was_cut_off() -> None:
    found, issues = reading(openinference, {**LLM, "input.value": REQUEST[:60]})
    assert found.messages == [{"role": "user", "content": REQUEST[:60]}]
    assert issues == {Issue.TRUNCATED}


def test_it_notes_hidden_content() -> None:
    found, issues = reading(
        openinference, {**LLM, "input.value": "__REDACTED__", "output.value": "__REDACTED__"}
    )
    assert issues == {Issue.CONTENT_OFF}
    assert (found.messages, found.output) == ([], None)
    _, issues = reading(
        openinference, {**LLM, f"{IN}.0.message.role": "user", f"{IN}.0.message.content": "__REDACTED__"}
    )
    assert issues == {Issue.CONTENT_OFF}


def test_it_joins_the_output_items_of_one_answer() -> None:
    found, issues = reading(
        openinference,
        {
            **LLM,
            f"{OUT}.0.message.role": "assistant",
            f"{OUT}.0.message.contents.0.message_content.type": "reasoning",
            f"{OUT}.0.message.contents.0.message_content.text": "Hm.",
            f"{OUT}.1.message.role": "assistant",
            f"{OUT}.1.message.tool_calls.0.tool_call.id": "c",
            f"{OUT}.1.message.tool_calls.0.tool_call.function.name": "look",
        },
    )
    assert found.output is not None
    assert found.output["content"] == [{"type": "reasoning", "text": "Hm."}]
    assert len(found.output["tool_calls"]) == 1
    assert not issues


def test_it_takes_the_first_of_several_choices() -> None:
    found, issues = reading(
        openinference,
        {
            **LLM,
            "llm.invocation_parameters": '{"n": 2}',
            f"{OUT}.0.message.content": "one",
            f"{OUT}.0.message.role": "assistant",
            f"{OUT}.1.message.content": "two",
            f"{OUT}.1.message.role": "assistant",
        },
    )
    assert found.output == {"role": "assistant", "content": "one"}
    assert issues == {Issue.SEVERAL_CHOICES}


def test_it_reads_prompts_and_choices_of_a_completion() -> None:
    found, _ = reading(
        openinference, {**LLM, "llm.prompts.0.prompt.text": "Once", "llm.choices.0.completion.text": " upon"}
    )
    assert found.messages == [{"role": "user", "content": "Once"}]
    assert found.output == {"role": "assistant", "content": " upon"}


def test_it_reads_a_tool_span() -> None:
    found = record(
        {
            "openinference.span.kind": "TOOL",
            "tool.name": "look",
            "tool_call.id": "call_1",
            "input.value": '{"a": 1}',
            "output.value": "found",
        }
    )
    assert (found.kind, found.name, found.format) == (SpanKind.TOOL, "look", "openinference")
    assert found.messages[0]["tool_calls"][0]["function"] == {"name": "look", "arguments": '{"a": 1}'}
    assert found.output == {"role": "tool", "tool_call_id": "call_1", "content": "found", "name": "look"}


def test_it_reads_retrieved_documents() -> None:
    found, _ = reading(
        openinference,
        {
            "openinference.span.kind": "RETRIEVER",
            "input.value": "opening hours",
            "retrieval.documents.0.document.content": "9 to 5",
            "retrieval.documents.0.document.score": 0.5,
            "retrieval.documents.0.document.metadata": '{"page": 2}',
        },
    )
    assert found.messages == [{"role": "user", "content": "opening hours"}]
    assert found.output is not None
    assert json.loads(found.output["content"]) == [
        {"content": "9 to 5", "score": 0.5, "metadata": {"page": 2}}
    ]


def test_it_reads_a_reranker() -> None:
    found, _ = reading(
        openinference,
        {
            "openinference.span.kind": "RERANKER",
            "reranker.query": "hours",
            "reranker.top_k": 3,
            "reranker.model_name": "rerank-1",
            "reranker.output_documents.0.document.id": "d",
        },
    )
    assert (found.kind, found.model, found.parameters) == (SpanKind.RETRIEVER, "rerank-1", {"top_k": 3})
    assert found.messages == [{"role": "user", "content": "hours"}]
    assert found.output == {"role": "assistant", "content": '[{"id":"d"}]'}


def test_it_counts_vectors_and_keeps_none() -> None:
    found = record(
        {
            "openinference.span.kind": "EMBEDDING",
            "embedding.model_name": "e-1",
            "embedding.embeddings.0.embedding.text": "a",
            "embedding.embeddings.0.embedding.vector": [0.1, 0.2],
            "embedding.embeddings.1.embedding.text": "b",
            "embedding.embeddings.1.embedding.vector": [0.3, 0.4],
        }
    )
    assert [message["content"] for message in found.messages] == ["a", "b"]
    assert found.attributes == {"vectors": 2}
    assert found.model == "e-1"


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        ("CHAIN", SpanKind.CHAIN),
        ("AGENT", SpanKind.AGENT),
        ("GUARDRAIL", SpanKind.OTHER),
        ("?", SpanKind.OTHER),
    ],
)
def test_it_reads_input_and_output_of_other_spans(given: str, kind: SpanKind) -> None:
    found = record({"openinference.span.kind": given, "input.value": "Hi", "output.value": "Hello"})
    assert found.kind is kind
    assert found.messages == [{"role": "user", "content": "Hi"}]
    assert found.output == {"role": "assistant", "content": "Hello"}


def test_it_leaves_usage_of_a_wrapper_as_reported() -> None:
    found = record({"openinference.span.kind": "AGENT", "llm.token_count.prompt": 10})
    assert found.usage == Usage()
    assert found.attributes["usage_reported"] == {"input": 10}


def test_it_leaves_raw_what_it_does_not_know() -> None:
    known = {f"{IN}.0.message.role": "user", f"{IN}.0.message.content": "Hi"}
    unknown = {f"{IN}.0.message.mood": "good", "annotations.0.annotation.name": "ok", "shop.id": 7}
    assert record({**LLM, **known, **unknown}).attributes == unknown


@needs_data
def test_it_reads_the_58_calls_as_they_were_logged() -> None:
    logged, calls = logged_calls(), replayed_calls("openinference")
    assert len(calls) == 58
    for call in calls:
        expected = logged[call.session, said(call)]
        for field in ("tools", "output", "parameters", "usage", "model", "finish_reason", "error"):
            assert getattr(call, field) == getattr(expected, field), field
        assert set(call.attributes) <= {"resource", "response_id"}


@needs_data
def test_it_says_which_calls_lost_messages_to_the_limit_of_attributes() -> None:
    logged, calls = logged_calls(), replayed_calls("default_attr_limit/openinference")
    cut = [call for call in calls if call.dropped]
    assert (len(calls), len(cut)) == (58, 16)
    for call in calls:
        marked = Issue.ATTRIBUTES_DROPPED in call.attributes.get("issues", ())
        assert marked == bool(call.dropped)
        if not marked:
            expected = logged[call.session, said(call)]
            assert (call.output, call.tools) == (expected.output, expected.tools)


@needs_data
def test_it_unflattens_fast() -> None:
    spans = [found for found in replayed_spans("openinference") if len(found.attributes) > 150]
    assert _best(lambda: [openinference.read(found, set()) for found in spans]) / len(spans) < 0.0015


def _best(run: Callable[[], Any], rounds: int = 5) -> float:
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return min(times)


@given(
    attributes_of(
        "openinference.span.kind", "input.value", "output.value", "llm.invocation_parameters", "metadata",
        "tag.tags", "llm.provider", "llm.finish_reason", "llm.token_count.prompt", "llm.cost.prompt",
        "tool.name", "tool.parameters", "tool_call.id", "reranker.query", "reranker.top_k",
        f"{IN}.0.message.role", f"{IN}.0.message.content", f"{IN}.0.message.contents",
        f"{IN}.1.message.contents.0.message_content.type", f"{IN}.1.message.contents.0.message_content.text",
        f"{IN}.1.message.contents.0.message_content.audio.audio.url", f"{IN}.0.message.tool_calls",
        f"{IN}.0.message.contents.3.message_content.image.image.url", f"{IN}.999999999.message.role",
        f"{IN}.0.message.tool_calls.0.tool_call.function.arguments", f"{IN}.0.message.tool_call_id",
        f"{OUT}.0.message.content", f"{OUT}.1.message.tool_calls.0.tool_call.id", f"{OUT}.0", IN,
        "llm.tools.0.tool.json_schema", "llm.prompts.0.prompt.text", "llm.choices.0.completion.text",
        "retrieval.documents.0.document.content", "retrieval.documents.0.document.metadata",
        "embedding.embeddings.0.embedding.vector", "embedding.embeddings.0.embedding.text",
    )
)  # fmt: skip
def test_it_never_raises(attributes: dict[str, Any]) -> None:
    openinference.read(span(attributes), set())
    record(attributes)
