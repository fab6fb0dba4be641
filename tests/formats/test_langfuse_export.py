"""Exports of Langfuse: whole traces, observations, and the rows of its own download."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slmhub.formats.examples import openai_finetune
from slmhub.formats.exchanges import openai_chat
from slmhub.formats.platforms.langfuse_export import matches, records
from slmhub.formats.records import MalformedError, Record, Reject, SpanKind, Usage
from tests.formats.mutations import mutated
from tests.formats.worlds import chat_row

TRACES = sorted(
    (Path(__file__).parents[3] / "shared/data/wire/langfuse_framework_traces").glob("*.trace.json")
)
needs_data = pytest.mark.skipif(not TRACES, reason="../shared/data is not here")


def observation(**changes: Any) -> dict[str, Any]:
    made = {
        "id": "o-1",
        "traceId": "t-1",
        "type": "GENERATION",
        "name": "chat",
        "parentObservationId": None,
        "level": "DEFAULT",
        "startTime": "2026-01-01T00:00:00.000Z",
        "endTime": "2026-01-01T00:00:02.000Z",
        "timeToFirstToken": 0.25,
        "latency": 2,
        "environment": "default",
        "model": "gpt-4o",
        "modelParameters": '{"temperature": 0.5, "maxSteps": null}',
        "input": '[{"role": "user", "content": "hi"}]',
        "output": '{"role": "assistant", "content": "hello"}',
        "metadata": '{"attributes": {"gen_ai.system": "openai", "x": "1"}, "scope": {"name": "s"}}',
        "usageDetails": {"input": 9, "output": 5, "total": 14},
        "costDetails": {"input": 0.001, "total": 0.003},
    }
    return {**made, **changes}


TRACE = {
    "id": "t-1",
    "name": "support",
    "timestamp": "2026-01-01T00:00:00.000Z",
    "sessionId": "s-1",
    "userId": "u-1",
    "tags": ["eu"],
    "public": False,
    "release": "r7",
    "scores": [{"id": "sc", "name": "ok", "value": 1, "dataType": "NUMERIC"}],
}


def one(row: Any) -> Record:
    assert matches(row)
    (record,) = records(row)
    assert isinstance(record, Record)
    return record


def test_it_reads_json_out_of_the_strings() -> None:
    call = one(observation())
    assert (call.kind, call.provider, call.emitter) == (SpanKind.LLM, "openai", "s")
    assert call.messages == [{"role": "user", "content": "hi"}]
    assert call.output == {"role": "assistant", "content": "hello"}
    assert call.parameters == {"temperature": 0.5}
    assert (call.usage, call.cost) == (Usage(input=9, output=5), 0.003)
    assert (call.latency_ms, call.ttft_ms, call.environment) == (2000, 250, None)
    assert call.attributes["x"] == "1"


def test_the_trace_tells_its_single_root() -> None:
    root = one({"trace": TRACE, "observations": [observation()]})
    assert (root.session, root.user, root.tags) == ("s-1", "u-1", ["eu"])
    assert root.attributes["scores"]["ok"]["value"] == 1
    assert root.attributes["release"] == "r7"


def test_the_trace_stands_above_several_roots() -> None:
    row = {**TRACE, "observations": [observation(), observation(id="o-2")]}
    assert matches(row)
    trace, *roots = records(row)
    assert isinstance(trace, Record)
    assert (trace.span_id, trace.kind) == ("t-1", SpanKind.CHAIN)
    assert {root.parent_id for root in roots if isinstance(root, Record)} == {"t-1"}


def test_a_generation_around_a_generation_is_no_call() -> None:
    row = [observation(), observation(id="o-2", parentObservationId="o-1")]
    assert matches(row)
    assert [item.kind for item in records(row) if isinstance(item, Record)] == [SpanKind.CHAIN, SpanKind.LLM]


def test_it_reads_a_page_of_the_api() -> None:
    assert one({"data": [observation()], "meta": {"page": 1}}).span_id == "o-1"


def test_it_reads_the_snake_case_of_the_blob_export() -> None:
    row = {
        "id": "o-1",
        "trace_id": "t-1",
        "type": "GENERATION",
        "parent_observation_id": "",
        "start_time": "2026-01-01 00:00:00.000",
        "end_time": "2026-01-01 00:00:02.000",
        "provided_model_name": "gpt-4o",
        "usage_details": '{"input": "9", "output": "5"}',
        "input": "hi",
    }
    call = one(row)
    assert (call.trace_id, call.parent_id, call.model, call.latency_ms) == ("t-1", None, "gpt-4o", 2000)
    assert call.usage == Usage(input=9, output=5)
    trace = one(
        {"id": "t-1", "timestamp": "2026-01-01", "session_id": "s", "user_id": "u", "bookmarked": False}
    )
    assert (trace.session, trace.user) == ("s", "u")


def test_it_reads_a_trace_alone() -> None:
    trace = one({**TRACE, "input": '{"question": "hi"}', "output": '"hello"'})
    assert trace.output == {"role": "assistant", "content": "hello"}
    assert trace.session == "s-1"


def test_langchains_tool_definitions_are_no_messages() -> None:
    tool = {"type": "function", "function": {"name": "search", "parameters": {}}}
    asked = [{"role": "user", "content": "hi"}, {"role": "tool", "content": tool}]
    call = one(observation(input=json.dumps(asked)))
    assert call.messages == [{"role": "user", "content": "hi"}]
    assert call.tools == [tool]


def test_a_plain_span_that_answers_as_a_tool_is_one() -> None:
    answer = {"type": "tool", "content": "found", "name": "search", "tool_call_id": "c1", "status": "success"}
    metadata = {"inputs": {"query": "x"}}
    row = observation(
        type="SPAN", name="search", input="{'query': 'x'}", output=json.dumps(answer), metadata=metadata
    )
    tool = one(row)
    assert tool.kind is SpanKind.TOOL
    assert tool.messages[0]["tool_calls"][0]["function"]["arguments"] == '{"query":"x"}'
    assert tool.output == {"role": "tool", "tool_call_id": "c1", "content": "found", "name": "search"}
    assert "issues" not in tool.attributes


@pytest.mark.parametrize("odd", [[], {}, [["ai.generateText"]]])
def test_a_list_or_an_object_where_a_name_belongs_is_an_absent_name(odd: Any) -> None:
    row = observation(metadata={"attributes": {"ai.operationId": odd}}, input=[{"type": odd, "role": "user"}])
    (found,) = records(row)
    assert isinstance(found, Record)
    assert found.kind is SpanKind.LLM


def test_it_rejects_a_bad_observation_alone() -> None:
    good, bad = records({"trace": TRACE, "observations": [observation(), {"name": "no id"}]})
    assert isinstance(good, Record)
    assert isinstance(bad, Reject)
    assert bad.reason == "observations[1]: the observation has no id"


@pytest.mark.parametrize(
    "row", [chat_row(), {"messages": []}, [], [[]], "x", None, {"id": "1", "timestamp": "2026"}]
)
def test_it_claims_nothing_else(row: Any) -> None:
    assert not matches(row)
    assert openai_chat.matches(chat_row())
    assert not matches(chat_row(userId="u", sessionId="s", public=True))
    assert not openai_finetune.matches(observation())


@needs_data
@pytest.mark.parametrize("path", TRACES, ids=lambda path: path.stem)
def test_it_reads_every_framework(path: Path) -> None:
    row = json.loads(path.read_text())
    found = list(records(row))
    assert not [item for item in found if isinstance(item, Reject)]
    spans = {item.span_id: item for item in found if isinstance(item, Record)}
    assert {observation["id"] for observation in row["observations"]} <= set(spans)
    assert len(spans) == len(row["observations"])
    calls = [span for span in spans.values() if span.kind is SpanKind.LLM]
    assert calls
    assert all(call.model for call in calls)
    assert all(span.usage == Usage() for span in spans.values() if span.kind is SpanKind.CHAIN)


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_a_mutated_export_raises_nothing_but_malformed(data: st.DataObject) -> None:
    tool = observation(id="o-2", type="TOOL", parentObservationId="o-1", input={"a": 1}, output="null")
    whole = {"trace": TRACE, "observations": [observation(), tool, observation(id="o-3", type="EMBEDDING")]}
    row = mutated(data, data.draw(st.sampled_from([whole, [observation(), TRACE], observation()])))
    if not matches(row):
        return
    try:
        found = list(records(row))
    except MalformedError:
        return
    assert all(isinstance(item, Record | Reject) for item in found)


@needs_data
@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_mutated_real_trace_raises_nothing_but_malformed(data: st.DataObject) -> None:
    row = json.loads(data.draw(st.sampled_from(TRACES)).read_text())
    row["observations"] = row["observations"][:3]
    for observation in row["observations"]:
        observation["input"] = _decoded(observation["input"])
        observation["output"] = _decoded(observation["output"])
    damaged = mutated(data, row)
    try:
        found = list(records(damaged)) if matches(damaged) else []
    except MalformedError:
        return
    assert all(isinstance(item, Record | Reject) for item in found)


def _decoded(text: Any) -> Any:
    try:
        return json.loads(text)
    except (TypeError, ValueError):
        return text
