from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given

from slmhub.formats.otlp import langfuse
from slmhub.formats.records import Issue, SpanKind, Usage
from tests.formats.otlp.readings import (
    START_NS,
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

OWN = "langfuse.observation"
GENERATION = {f"{OWN}.type": "generation"}


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        ("generation", SpanKind.LLM),
        ("embedding", SpanKind.EMBEDDING),
        ("agent", SpanKind.AGENT),
        ("tool", SpanKind.TOOL),
        ("retriever", SpanKind.RETRIEVER),
        ("span", SpanKind.CHAIN),
        ("event", SpanKind.OTHER),
        ("guardrail", SpanKind.OTHER),
        ("evaluator", SpanKind.OTHER),
    ],
)
def test_it_reads_the_type_of_an_observation(given: str, kind: SpanKind) -> None:
    found = record({f"{OWN}.type": given})
    assert (found.kind, found.format) == (kind, "langfuse")
    assert (f"{OWN}.type" in found.attributes) == (kind is SpanKind.OTHER)


def test_it_reads_a_request_and_a_message() -> None:
    look = {"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}
    found, _ = reading(
        langfuse,
        {
            **GENERATION,
            f"{OWN}.input": json.dumps({"messages": [{"role": "user", "content": "Hi"}], "tools": [look]}),
            f"{OWN}.output": '{"role": "assistant", "content": "Hello"}',
            f"{OWN}.model.name": "gpt-4o",
            f"{OWN}.model.parameters": '{"temperature": 0.5, "max_tokens": "Infinity"}',
        },
    )
    assert found.messages == [{"role": "user", "content": "Hi"}]
    assert found.tools == [look]
    assert found.output == {"role": "assistant", "content": "Hello"}
    assert (found.model, found.parameters) == ("gpt-4o", {"temperature": 0.5})


def test_it_reads_bare_texts() -> None:
    found, _ = reading(langfuse, {**GENERATION, f"{OWN}.input": "Hi", f"{OWN}.output": "Hello"})
    assert found.messages == [{"role": "user", "content": "Hi"}]
    assert found.output == {"role": "assistant", "content": "Hello"}


def test_it_notes_an_input_that_was_cut_off() -> None:
    found, issues = reading(langfuse, {**GENERATION, f"{OWN}.input": '[{"role": "user", "content": "H'})
    assert found.messages == [{"role": "user", "content": '[{"role": "user", "content": "H'}]
    assert issues == {Issue.TRUNCATED}


@pytest.mark.parametrize(
    ("details", "usage"),
    [
        (
            {"prompt_tokens": 10, "completion_tokens": 5, "prompt_tokens_details": {"cached_tokens": 4}},
            Usage(input=10, output=5, cached_input=4),
        ),
        # Its own counts exclude one another ...
        ({"input": 6, "input_cached_tokens": 4, "output": 5}, Usage(input=10, output=5, cached_input=4)),
        (
            {"input": 6, "cache_read_input_tokens": 3, "cache_creation_input_tokens": 1, "output": 5},
            Usage(input=10, output=5, cached_input=3, cache_write=1),
        ),
        # ... unless the total says otherwise.
        (
            {"input": 10, "input_cached_tokens": 4, "output": 5, "total": 15},
            Usage(input=10, output=5, cached_input=4),
        ),
    ],
)
def test_it_reads_usage(details: dict[str, Any], usage: Usage) -> None:
    found, _ = reading(langfuse, {**GENERATION, f"{OWN}.usage_details": json.dumps(details)})
    assert found.usage == usage


def test_it_reads_cost_and_the_time_to_the_first_token() -> None:
    found, _ = reading(
        langfuse,
        {
            **GENERATION,
            f"{OWN}.cost_details": '{"input": 0.25, "output": 0.5, "total": 0.75}',
            f"{OWN}.completion_start_time": '"2026-02-02T02:40:00.500Z"',
        },
    )
    assert START_NS == 1_770_000_000_000_000_000
    assert found.cost == 0.75
    assert found.ttft_ms == pytest.approx(500)


def test_it_reads_the_trace_that_the_span_is_of() -> None:
    found = record(
        {
            **GENERATION,
            "session.id": "s-1",
            "langfuse.user.id": "u-1",
            "langfuse.environment": "staging",
            "langfuse.release": "v7",
            "langfuse.trace.tags": ["a", "b"],
            "langfuse.trace.metadata.shop": '"north"',
            f"{OWN}.metadata.round": "2",
            f"{OWN}.metadata": '{"reward": 1}',
            f"{OWN}.prompt.name": "greeting",
        }
    )
    assert (found.session, found.user, found.environment) == ("s-1", "u-1", "staging")
    assert found.tags == ["a", "b"]
    assert found.attributes == {
        "metadata": {"shop": "north", "reward": 1, "round": "2"},
        "outcome": "success",
        "langfuse.release": "v7",
        f"{OWN}.prompt.name": "greeting",
    }


def test_it_takes_the_default_environment_for_none() -> None:
    assert record({**GENERATION, "langfuse.environment": "default"}).environment is None


def test_it_reads_an_error_by_its_level() -> None:
    failed = {f"{OWN}.level": "ERROR", f"{OWN}.status_message": "rate limited"}
    assert record({**GENERATION, **failed}).error == "rate limited"
    assert record({**GENERATION, f"{OWN}.level": "WARNING"}).error is None


def test_it_reads_a_tool_span() -> None:
    found = record(
        {
            f"{OWN}.type": "tool",
            f"{OWN}.input": '{"args": [], "kwargs": {"a": 1}}',
            f"{OWN}.output": "found",
        },
        name="look",
    )
    assert (found.kind, found.name) == (SpanKind.TOOL, "look")
    assert found.messages[0]["tool_calls"][0]["function"] == {"name": "look", "arguments": '{"a":1}'}
    assert found.output is not None
    assert (found.output["role"], found.output["content"]) == ("tool", "found")


def test_it_believes_its_own_attributes_before_those_of_the_conventions() -> None:
    found = record(
        {
            **GENERATION,
            f"{OWN}.input": "Hi",
            f"{OWN}.usage_details": '{"input": 3}',
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": "openai",
            "gen_ai.usage.input_tokens": 99,
            "gen_ai.input.messages": '[{"role": "user", "parts": [{"type": "text", "content": "Other"}]}]',
        }
    )
    assert found.messages == [{"role": "user", "content": "Hi"}]
    assert (found.usage.input, found.provider, found.format) == (3, "openai", "langfuse")


@needs_data
def test_it_reads_the_58_calls_as_they_were_logged() -> None:
    """The SDK says no finish reason, and writes the defaults of parameters that the request left out."""
    logged, calls = logged_calls(), replayed_calls("langfuse")
    assert len(calls) == 58
    for call in calls:
        expected = logged[call.session, said(call)]
        for field in ("tools", "output", "usage", "model", "error"):
            assert getattr(call, field) == getattr(expected, field), field
        assert call.parameters.items() >= expected.parameters.items()
        assert set(call.attributes) <= {"resource"}


@needs_data
def test_it_reads_the_roots_of_the_replayed_sessions() -> None:
    roots = [found for found in replayed_spans("langfuse") if found.parent_id is None]
    assert len(roots) == 3
    for root in roots:
        found = record(root.attributes)
        assert found.kind is SpanKind.CHAIN
        assert found.session
        assert found.messages == []
        assert found.output


@given(
    attributes_of(
        f"{OWN}.type", f"{OWN}.input", f"{OWN}.output", f"{OWN}.model.name", f"{OWN}.model.parameters",
        f"{OWN}.usage_details", f"{OWN}.cost_details", f"{OWN}.completion_start_time", f"{OWN}.level",
        f"{OWN}.status_message", f"{OWN}.metadata", f"{OWN}.metadata.a", "langfuse.trace.metadata",
        "langfuse.trace.tags", "langfuse.environment", "session.id", "user.id", "langfuse.trace.name",
    )
)  # fmt: skip
def test_it_never_raises(attributes: dict[str, Any]) -> None:
    langfuse.read(span(attributes), set())
    record(attributes)
