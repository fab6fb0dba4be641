"""The rules that other people's bugs taught (reference 2.10); 2 and 8 stand with the providers."""

from __future__ import annotations

import json
from itertools import permutations

import pytest

from slmhub.formats.merge import demote_wrappers, joined
from slmhub.formats.otlp.read import records_of_logs, records_of_spans
from slmhub.formats.otlp.wire import SpanData
from slmhub.formats.records import Issue, Record, SpanKind
from tests.formats.otlp.spans import CHAT, MESSAGES, OUTPUT, PARENT, issues_of, log, record, span

CHILD = "12" * 8


def total_input(records: list[Record]) -> int:
    return sum(record.usage.input or 0 for record in records)


def tree(parent: dict[str, object], child: dict[str, object]) -> list[SpanData]:
    return [span(parent, span_id=PARENT), span(child, span_id=CHILD, parent_id=PARENT)]


@pytest.mark.parametrize("operation", ["invoke_agent", "agent_step", "invoke_workflow", "create_agent"])
def test_rule_1_usage_of_a_span_around_calls_is_not_counted(operation: str) -> None:
    records = list(records_of_spans(tree({**CHAT, "gen_ai.operation.name": operation}, CHAT)))
    assert total_input(records) == 12
    assert records[0].attributes["usage_reported"] == {"input": 12, "output": 5}


@pytest.mark.parametrize("operation", ["chat", "embeddings"])
def test_rule_1_a_model_span_around_its_like_is_no_call(operation: str) -> None:
    spans = tree({**CHAT, "gen_ai.operation.name": operation}, {**CHAT, "gen_ai.operation.name": operation})
    for order in (spans, spans[::-1]):
        records = list(records_of_spans(order))
        demote_wrappers(records)
        parent = next(record for record in records if record.span_id == PARENT)
        assert total_input(records) == 12
        assert (parent.kind, issues_of(parent)) == (SpanKind.CHAIN, [Issue.WRAPS_MODEL_CALL])


def test_rule_3_the_attributes_decide_and_not_the_scope() -> None:
    misleading = ("openinference.instrumentation.openai 1", "langfuse-sdk", "ai", "")
    read = [record(scope=scope) for scope in misleading]
    assert {call.format for call in read} == {"otel_genai"}
    assert all(call.messages == MESSAGES for call in read)


def test_rule_4_the_operation_comes_before_the_agents_name() -> None:
    agent = {"gen_ai.agent.name": "support", "gen_ai.agent.id": "a1"}
    assert record({**CHAT, **agent}).kind is SpanKind.LLM
    assert record({**agent, "gen_ai.operation.name": "invoke_agent"}).kind is SpanKind.AGENT
    assert record({**CHAT, **agent, "openinference.span.kind": "AGENT"}).kind is SpanKind.LLM
    assert record({**CHAT, **agent, "langfuse.observation.type": "agent"}).kind is SpanKind.LLM
    unnamed = {key: value for key, value in CHAT.items() if key != "gen_ai.operation.name"}
    assert record({**unnamed, **agent}).kind is SpanKind.LLM


def test_rule_5_a_span_of_an_unknown_convention_is_visible() -> None:
    call = record({"acme.step": "7", "acme.list": [1, 2]}, name="acme work")
    assert (call.kind, call.format, call.name) == (SpanKind.OTHER, "otlp", "acme work")
    assert call.attributes == {"acme.step": "7", "acme.list": [1, 2]}
    assert record({}, name="").name == "span"


def test_rule_5_its_input_and_output_are_found_under_usual_names() -> None:
    call = record({"input.value": json.dumps({"messages": MESSAGES}), "output.value": "On its way."})
    assert (call.messages, call.output) == (MESSAGES, OUTPUT)


def flattened(text: str) -> dict[str, str]:
    return {
        "openinference.span.kind": "LLM",
        "llm.input_messages.0.message.role": "user",
        "llm.input_messages.0.message.content": text,
        "llm.model_name": "flat",
    }


LEGACY = {
    "gen_ai.prompt.0.role": "user",
    "gen_ai.prompt.0.content": "legacy",
    "llm.request.type": "chat",
}
EVENTS = {"gen_ai.system": "openai", "gen_ai.request.model": "evented"}
RAW = {"input.value": json.dumps({"messages": [{"role": "user", "content": "raw"}]})}
LANGFUSE = {
    "langfuse.observation.type": "generation",
    "langfuse.observation.input": json.dumps([{"role": "user", "content": "native"}]),
}


def test_rule_6_each_convention_gives_way_to_the_one_before_it() -> None:
    layers = [LANGFUSE, CHAT, flattened("flat"), LEGACY, RAW]
    expected = ["native", "Where is #W1?", "flat", "legacy", "raw"]
    for at, text in enumerate(expected):
        attributes = {key: value for layer in layers[at:] for key, value in layer.items()}
        assert record(attributes).messages[-1]["content"] == text


def test_rule_6_events_come_before_raw_values_and_after_flattened_ones() -> None:
    from tests.formats.otlp.spans import event

    told = [event("gen_ai.user.message", content="evented")]
    assert record({**EVENTS, **RAW}, events=told).messages[-1]["content"] == "evented"
    assert record({**EVENTS, **LEGACY}, events=told).messages[-1]["content"] == "legacy"


def test_rule_7_parents_and_children_may_come_in_any_order() -> None:
    spans = [
        span(span_id="01" * 8),
        span(span_id="02" * 8, parent_id="01" * 8),
        span(span_id="03" * 8, parent_id="02" * 8),
    ]
    expected = {record.span_id: record for record in records_of_spans(spans)}
    demote_wrappers(expected.values())
    for order in permutations(spans):
        found = [
            record for record in joined(records_of_spans([*order, order[0]])) if isinstance(record, Record)
        ]
        demote_wrappers(found)
        assert {record.span_id: record for record in found} == expected


def test_rule_7_a_parent_may_never_come() -> None:
    (call,) = records_of_spans([span(parent_id=PARENT)])
    assert (call.parent_id, call.kind) == (PARENT, SpanKind.LLM)


def test_rule_9_log_events_join_the_span_of_their_ids_and_no_other() -> None:
    bare = {key: value for key, value in CHAT.items() if not key.endswith("messages")}
    spans = list(records_of_spans([span(bare), span(bare, span_id=CHILD)]))
    parts = list(records_of_logs([log("gen_ai.user.message", {"content": "Hi"}, span_id=CHILD)]))
    for order in ([*spans, *parts], [*parts, *spans]):
        calls = {call.span_id: call for call in joined(order) if isinstance(call, Record)}
        assert calls[CHILD].messages == [{"role": "user", "content": "Hi"}]
        assert len(calls) == 2
        assert calls[spans[0].span_id].messages == []
