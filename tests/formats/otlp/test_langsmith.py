from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from langsmith._internal._operations import serialize_run_dict
from langsmith._internal.otel._otel_exporter import OTELExporter
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from slmhub.formats.otlp import langsmith
from slmhub.formats.records import SpanKind, Usage
from tests.formats.otlp.readings import (
    DATA,
    attributes_of,
    logged_calls,
    needs_data,
    reading,
    record,
    said,
    span,
)

LLM = {"langsmith.span.kind": "llm", "gen_ai.operation.name": "chat"}
ANSWER = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "model": "gpt-4o",
    "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Hello"}}],
    "usage": {"prompt_tokens": 3, "completion_tokens": 1, "total_tokens": 4},
}


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        ("llm", SpanKind.LLM),
        ("chain", SpanKind.CHAIN),
        ("prompt", SpanKind.CHAIN),
        ("retriever", SpanKind.RETRIEVER),
        ("embedding", SpanKind.EMBEDDING),
        ("tool", SpanKind.TOOL),
    ],
)
def test_it_reads_the_kind_of_a_run(given: str, kind: SpanKind) -> None:
    found = record({"langsmith.span.kind": given, "langsmith.trace.name": "ChatOpenAI"})
    assert (found.kind, found.name, found.format) == (kind, "ChatOpenAI", "langsmith")


def test_it_reads_the_inputs_and_outputs_of_a_call() -> None:
    request = {"messages": [{"role": "user", "content": "Hi"}], "model": "gpt-4o", "temperature": 0.5}
    found, _ = reading(
        langsmith,
        {
            **LLM,
            "gen_ai.system": "openai",
            "gen_ai.prompt": json.dumps(request),
            "gen_ai.completion": json.dumps(ANSWER),
        },
    )
    assert found.messages == [{"role": "user", "content": "Hi"}]
    assert found.output == {"role": "assistant", "content": "Hello"}
    assert (found.provider, found.model, found.response_id) == ("openai", "gpt-4o", "chatcmpl-1")
    assert (found.finish_reason, found.parameters) == ("stop", {"temperature": 0.5})
    assert found.usage == Usage(input=3, output=1)


def test_it_reads_langchain_messages_and_generations() -> None:
    human = {"lc": 1, "type": "constructor", "id": ["langchain", "HumanMessage"], "kwargs": {"content": "Hi"}}
    call = {"id": "c1", "name": "look", "args": {"a": 1}, "type": "tool_call"}
    said = {
        "lc": 1,
        "type": "constructor",
        "id": ["langchain", "AIMessage"],
        "kwargs": {"content": "", "tool_calls": [call]},
    }
    found, _ = reading(
        langsmith,
        {
            **LLM,
            "gen_ai.prompt": json.dumps({"messages": [[human]]}),
            "gen_ai.completion": json.dumps({"generations": [[{"message": said}]]}),
        },
    )
    assert found.messages == [{"role": "user", "content": "Hi"}]
    assert found.output is not None
    assert found.output["tool_calls"][0]["function"] == {"name": "look", "arguments": '{"a":1}'}


def test_it_reads_usage_with_its_details() -> None:
    found, _ = reading(
        langsmith,
        {
            **LLM,
            "gen_ai.usage.input_tokens": 10,
            "gen_ai.usage.output_tokens": "5",
            "gen_ai.usage.input_token_details": '{"cache_read": 4, "cache_creation": 2}',
            "gen_ai.usage.output_token_details": '{"reasoning": 3}',
        },
    )
    assert found.usage == Usage(input=10, output=5, cached_input=4, cache_write=2, reasoning=3)


def test_it_finds_the_session_in_the_metadata_and_the_project_beside_it() -> None:
    found = record(
        {
            **LLM,
            "langsmith.trace.session_id": "6f1f0c4e-0000-0000-0000-000000000000",
            "langsmith.trace.session_name": "support",
            "langsmith.metadata.thread_id": "t-1",
            "langsmith.metadata.user_id": "u-1",
            "langsmith.metadata.ls_provider": "anthropic",
            "langsmith.metadata.ls_model_name": "claude-sonnet-4",
            "langsmith.span.tags": "a, b",
        }
    )
    assert (found.session, found.user, found.tags) == ("t-1", "u-1", ["a", "b"])
    assert (found.provider, found.model) == ("anthropic", "claude-sonnet-4")
    assert found.attributes["project"] == "support"


def test_it_takes_a_session_that_stands_alone() -> None:
    assert record({**LLM, "langsmith.trace.session_id": "s-1"}).session == "s-1"


def test_it_reads_a_tool_span() -> None:
    found = record(
        {
            "langsmith.span.kind": "tool",
            "gen_ai.tool.name": "look",
            "gen_ai.tool.call.id": "c1",
            "gen_ai.prompt": '{"a": 1}',
            "gen_ai.completion": '{"output": "found"}',
        }
    )
    assert (found.kind, found.name) == (SpanKind.TOOL, "look")
    assert found.messages[0]["tool_calls"][0]["function"] == {"name": "look", "arguments": '{"a":1}'}
    assert found.messages[0]["tool_calls"][0]["id"] == "c1"
    assert found.output == {"role": "tool", "tool_call_id": "c1", "content": "found", "name": "look"}


def exported_spans() -> Iterator[ReadableSpan]:
    """The runs of the 58 calls as LangSmith's own exporter writes them on spans."""
    memory, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(memory))
    with gzip.open(DATA / "wire" / "sdk_replay" / "langsmith.jsonl.gz", "rt") as lines:
        bodies = [json.loads(line).get("json") or {} for line in lines]
    runs = [(part, run) for body in bodies for part in ("post", "patch") for run in body.get(part) or ()]
    for _, run in runs:
        run |= {"id": UUID(run["id"]), "trace_id": UUID(run["trace_id"])}
    OTELExporter(tracer_provider=provider).export_batch([serialize_run_dict(*run) for run in runs], {})
    yield from memory.get_finished_spans()


@needs_data
def test_it_reads_the_58_calls_as_they_were_logged() -> None:
    logged = logged_calls()
    found = [record(json.loads(json.dumps(dict(exported.attributes or {})))) for exported in exported_spans()]
    calls = [call for call in found if call.kind is SpanKind.LLM]
    assert len(calls) == 58
    for call in calls:
        expected = logged[call.session, said(call)]
        for field in ("tools", "output", "parameters", "usage", "model", "finish_reason", "error"):
            assert getattr(call, field) == getattr(expected, field), field
        assert call.provider == "openai"


@given(
    attributes_of(
        "langsmith.span.kind", "langsmith.trace.name", "langsmith.trace.session_id", "langsmith.span.tags",
        "langsmith.trace.session_name", "langsmith.metadata.thread_id", "langsmith.metadata.ls_provider",
        "langsmith.metadata.tags", "langsmith.request.streaming", "gen_ai.prompt", "gen_ai.completion",
        "gen_ai.tool.name", "gen_ai.tool.call.id", "gen_ai.tool.definitions", "gen_ai.system",
        "gen_ai.usage.input_tokens", "gen_ai.usage.input_token_details", "gen_ai.response.finish_reasons",
        "gen_ai.request.temperature", "gen_ai.operation.name",
    )
)  # fmt: skip
def test_it_never_raises(attributes: dict[str, Any]) -> None:
    langsmith.read(span(attributes), set())
    record(attributes)
