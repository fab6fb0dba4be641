from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given

from slmhub.formats.otlp import traceloop
from slmhub.formats.records import Issue, SpanKind, Usage
from tests.formats.otlp.readings import (
    attributes_of,
    logged_calls,
    needs_data,
    reading,
    record,
    replayed_calls,
    span,
)

CHAT = {"llm.request.type": "chat", "gen_ai.system": "OpenAI"}
PROMPT, COMPLETION = "gen_ai.prompt", "gen_ai.completion"


def test_it_reads_flattened_prompts_and_completions() -> None:
    found = record(
        {
            **CHAT,
            f"{PROMPT}.0.role": "system",
            f"{PROMPT}.0.content": "Be brief.",
            f"{PROMPT}.1.role": "assistant",
            f"{PROMPT}.1.tool_calls.0.id": "call_1",
            f"{PROMPT}.1.tool_calls.0.name": "look",
            f"{PROMPT}.1.tool_calls.0.arguments": '{"a": 1}',
            f"{PROMPT}.2.role": "tool",
            f"{PROMPT}.2.tool_call_id": "call_1",
            f"{PROMPT}.2.content": "[1, 2]",
            f"{COMPLETION}.0.role": "assistant",
            f"{COMPLETION}.0.content": "Done.",
            f"{COMPLETION}.0.finish_reason": "stop",
        }
    )
    call = {"id": "call_1", "type": "function", "function": {"name": "look", "arguments": '{"a": 1}'}}
    assert (found.kind, found.format, found.provider) == (SpanKind.LLM, "traceloop", "openai")
    assert found.messages == [
        {"role": "system", "content": "Be brief."},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "content": "[1, 2]", "tool_call_id": "call_1"},
    ]
    assert found.output == {"role": "assistant", "content": "Done."}
    assert found.finish_reason == "stop"
    assert found.attributes == {}


def test_it_reads_tool_calls_of_the_answer() -> None:
    found, _ = reading(
        traceloop,
        {
            **CHAT,
            f"{COMPLETION}.0.finish_reason": "tool_calls",
            f"{COMPLETION}.0.tool_calls.0.id": "call_1",
            f"{COMPLETION}.0.tool_calls.0.name": "look",
            f"{COMPLETION}.0.tool_calls.0.arguments": "{}",
        },
    )
    assert found.output is not None
    assert found.output["tool_calls"][0]["function"]["name"] == "look"
    assert found.output["content"] is None


def test_it_reads_parts_that_were_written_as_json() -> None:
    parts = [
        {"type": "text", "text": "What?"},
        {"type": "image_url", "image_url": {"url": "https://e.org/a"}},
    ]
    found, _ = reading(
        traceloop, {**CHAT, f"{PROMPT}.0.role": "user", f"{PROMPT}.0.content": json.dumps(parts)}
    )
    assert found.messages == [{"role": "user", "content": parts}]


def test_it_splits_tool_results_out_of_a_user_message() -> None:
    blocks = [{"type": "tool_result", "tool_use_id": "toolu_1", "content": "42"}]
    found, _ = reading(
        traceloop, {**CHAT, f"{PROMPT}.0.role": "user", f"{PROMPT}.0.content": json.dumps(blocks)}
    )
    assert found.messages == [{"role": "tool", "tool_call_id": "toolu_1", "content": "42"}]


def test_it_keeps_a_text_that_only_looks_like_json() -> None:
    found, issues = reading(
        traceloop, {**CHAT, f"{PROMPT}.0.role": "user", f"{PROMPT}.0.content": '[{"a": 1}]'}
    )
    assert found.messages == [{"role": "user", "content": '[{"a": 1}]'}]
    assert not issues


def test_it_puts_thinking_before_the_answer() -> None:
    found, issues = reading(
        traceloop,
        {
            **CHAT,
            f"{COMPLETION}.0.role": "thinking",
            f"{COMPLETION}.0.content": "Hm.",
            f"{COMPLETION}.1.role": "assistant",
            f"{COMPLETION}.1.content": "Yes.",
        },
    )
    assert found.output is not None
    assert found.output["content"] == [{"type": "reasoning", "text": "Hm."}, {"type": "text", "text": "Yes."}]
    assert not issues


def test_it_notes_several_choices() -> None:
    found, issues = reading(
        traceloop, {**CHAT, f"{COMPLETION}.0.content": "a", f"{COMPLETION}.1.content": "b"}
    )
    assert found.output == {"role": "assistant", "content": "a"}
    assert issues == {Issue.SEVERAL_CHOICES}


def test_it_reads_functions_as_tools() -> None:
    functions = "llm.request.functions.0"
    found, _ = reading(
        traceloop,
        {
            **CHAT,
            f"{functions}.name": "look",
            f"{functions}.description": "Looks.",
            f"{functions}.parameters": '{"type": "object"}',
        },
    )
    function = {"name": "look", "description": "Looks.", "parameters": {"type": "object"}}
    assert found.tools == [{"type": "function", "function": function}]


@pytest.mark.parametrize(
    ("spent", "made"),
    [
        ("gen_ai.usage.prompt_tokens", "gen_ai.usage.completion_tokens"),
        ("gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens"),
    ],
)
def test_it_reads_usage_under_old_and_new_names(spent: str, made: str) -> None:
    cached = {"gen_ai.usage.cache_read_input_tokens": 4, "gen_ai.usage.cache_creation_input_tokens": 2}
    found, _ = reading(traceloop, {**CHAT, spent: 10, made: "5", **cached})
    assert found.usage == Usage(input=10, output=5, cached_input=4, cache_write=2)


def test_it_reads_parameters_and_the_schema_of_the_answer() -> None:
    found, _ = reading(
        traceloop,
        {
            **CHAT,
            "gen_ai.request.model": "gpt-4o",
            "gen_ai.request.temperature": 0.5,
            "llm.presence_penalty": 1,
            "llm.is_streaming": True,
            "llm.request.structured_output_schema": '{"type": "object"}',
        },
    )
    assert found.parameters == {
        "temperature": 0.5,
        "presence_penalty": 1,
        "response_format": {"type": "json_schema", "json_schema": {"schema": {"type": "object"}}},
    }
    assert (found.model, found.streamed) == ("gpt-4o", True)


def test_it_finds_session_and_user_among_the_association_properties() -> None:
    own = "traceloop.association.properties"
    found = record(
        {
            "gen_ai.operation.name": "chat",
            f"{own}.session_id": "s-1",
            f"{own}.user_id": "u-1",
            f"{own}.shop": "north",
            f"{own}.tags": '["a"]',
        }
    )
    assert (found.session, found.user, found.tags) == ("s-1", "u-1", ["a"])
    assert found.attributes["metadata"] == {"shop": "north"}


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        ("workflow", SpanKind.CHAIN),
        ("task", SpanKind.CHAIN),
        ("agent", SpanKind.AGENT),
        ("?", SpanKind.OTHER),
    ],
)
def test_it_reads_what_went_through_an_entity(given: str, kind: SpanKind) -> None:
    found = record(
        {
            "traceloop.span.kind": given,
            "traceloop.entity.name": "answer",
            "traceloop.entity.input": '{"inputs": {"question": "Hi"}, "tags": [], "kwargs": {}}',
            "traceloop.entity.output": '"Hello"',
        }
    )
    assert found.kind is kind
    assert found.messages == [{"role": "user", "content": "Hi"}]
    assert found.output == {"role": "assistant", "content": "Hello"}
    assert found.agent == ("answer" if kind is SpanKind.AGENT else None)


def test_it_reads_a_tool_span() -> None:
    found = record(
        {
            "traceloop.span.kind": "tool",
            "traceloop.entity.name": "look",
            "traceloop.entity.input": '{"args": [], "kwargs": {"a": 1}}',
            "traceloop.entity.output": '{"found": true}',
        }
    )
    assert (found.kind, found.name) == (SpanKind.TOOL, "look")
    assert found.messages[0]["tool_calls"][0]["function"] == {"name": "look", "arguments": '{"a":1}'}
    assert found.output == {"role": "tool", "tool_call_id": "", "content": '{"found": true}', "name": "look"}


@needs_data
def test_it_gives_the_58_calls_of_its_newer_versions() -> None:
    """The emitter leaves out names of tool messages and sessions, and writes arguments as objects."""
    logged = {_told(*call.messages): call for call in logged_calls().values()}
    calls = replayed_calls("openllmetry")
    assert len(calls) == 58
    for call in calls:
        expected = logged[_told(*call.messages)]
        assert _told(call.output) == _told(expected.output)
        for field in ("tools", "parameters", "usage", "model", "finish_reason"):
            assert getattr(call, field) == getattr(expected, field), field


def _told(*messages: Any) -> str:
    told = [
        (message["role"], message["content"], message.get("tool_call_id"), [_called(call) for call in calls])
        for message in messages
        for calls in [message.get("tool_calls", ())]
    ]
    return json.dumps(told, sort_keys=True)


def _called(call: dict[str, Any]) -> tuple[str, str, Any]:
    return call["id"], call["function"]["name"], json.loads(call["function"]["arguments"])


@given(
    attributes_of(
        "traceloop.span.kind", "traceloop.entity.name", "traceloop.entity.input", "traceloop.entity.output",
        "traceloop.association.properties.session_id", "traceloop.association.properties.tags",
        "llm.request.type", "llm.request.functions.0.name", "llm.request.functions.0.parameters",
        f"{PROMPT}.0.role", f"{PROMPT}.0.content", f"{PROMPT}.0.tool_calls.0.arguments",
        f"{PROMPT}.0.tool_call_id", f"{PROMPT}.0.tool_calls", f"{COMPLETION}.0.content", PROMPT, COMPLETION,
        f"{COMPLETION}.0.finish_reason",
        f"{COMPLETION}.0.role", f"{COMPLETION}.0.reasoning", "gen_ai.system", "gen_ai.usage.prompt_tokens",
        "gen_ai.request.structured_output_schema", "llm.is_streaming", "gen_ai.operation.name",
    )
)  # fmt: skip
def test_it_never_raises(attributes: dict[str, Any]) -> None:
    traceloop.read(span(attributes), set())
    record(attributes)
