"""Langfuse's legacy ingestion: batches as its older SDKs send them, event by event."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from langfuse import Langfuse

from slmhub.formats.merge import joined
from slmhub.formats.platforms.langfuse_ingestion import answers, batch_of_scores, matches, records
from slmhub.formats.records import MalformedError, Record, Reject, SpanKind, Usage
from tests.formats.inbox import running
from tests.formats.mutations import mutated

AT = "2026-01-01T00:00:0{}.000Z"


def event(type: str, body: Any, at: int = 0, **changes: Any) -> dict[str, Any]:
    return {"id": f"e-{type}-{at}", "timestamp": AT.format(at), "type": type, "body": body, **changes}


TRACE = {
    "id": "t-1",
    "name": "support",
    "userId": "u-1",
    "sessionId": "s-1",
    "tags": ["eu"],
    "environment": "prod",
    "input": {"question": "hi"},
    "timestamp": AT.format(0),
}
GENERATION = {
    "id": "g-1",
    "traceId": "t-1",
    "name": "chat",
    "startTime": AT.format(1),
    "model": "gpt-4o",
    "modelParameters": {"temperature": 0.5},
    "input": [{"role": "user", "content": "hi"}],
}
ANSWER = {
    "id": "g-1",
    "traceId": "t-1",
    "endTime": AT.format(3),
    "completionStartTime": AT.format(2),
    "output": {"role": "assistant", "content": "hello"},
    "usage": {"promptTokens": 9, "completionTokens": 5, "totalTokens": 14},
    "costDetails": {"input": 0.001, "output": 0.002},
}


def batch(*events: Any) -> dict[str, Any]:
    return {"batch": list(events), "metadata": {"sdk_name": "langfuse-python", "sdk_version": "2.60"}}


WHOLE = batch(
    event("trace-create", TRACE),
    event("generation-create", GENERATION, 1),
    event("generation-update", ANSWER, 3),
    event("span-create", {"id": "sp-1", "traceId": "t-1", "name": "look up", "startTime": AT.format(1)}),
    event(
        "event-create", {"id": "ev-1", "traceId": "t-1", "name": "cache miss", "parentObservationId": "sp-1"}
    ),
    event("score-create", {"id": "sc-1", "traceId": "t-1", "observationId": "g-1", "name": "ok", "value": 1}),
    event("sdk-log", {"log": "x"}),
)


def read(row: Any) -> dict[str, Record]:
    found = list(joined(records(row)))
    assert not [item for item in found if isinstance(item, Reject)]
    return {item.span_id: item for item in found if isinstance(item, Record)}


def test_it_puts_a_call_together() -> None:
    call = read(WHOLE)["g-1"]
    assert (call.kind, call.name, call.model, call.trace_id) == (SpanKind.LLM, "chat", "gpt-4o", "t-1")
    assert call.messages == [{"role": "user", "content": "hi"}]
    assert call.output == {"role": "assistant", "content": "hello"}
    assert call.usage == Usage(input=9, output=5)
    assert call.cost == pytest.approx(0.003)
    assert call.parameters == {"temperature": 0.5}
    assert (call.latency_ms, call.ttft_ms) == (2000, 1000)
    assert call.attributes["scores"]["ok"]["value"] == 1
    assert not call.partial
    assert call.emitter == "langfuse-python 2.60"


def test_scores_of_several_events_stand_side_by_side() -> None:
    about = {"traceId": "t-1", "observationId": "g-1"}
    scores = [
        event("score-create", {**about, "id": name, "name": name, "value": value}, at)
        for at, (name, value) in enumerate([("ok", 1), ("tone", 0.5), ("ok", 0)])
    ]
    told = read(batch(*scores, event("generation-create", GENERATION, 1)))["g-1"].attributes["scores"]
    assert {name: score["value"] for name, score in told.items()} == {"ok": 0, "tone": 0.5}


@pytest.mark.parametrize("turned", [False, True])
def test_an_update_may_come_before_its_create(turned: bool) -> None:
    events = [event("generation-create", GENERATION, 1), event("generation-update", ANSWER, 3)]
    call = read(batch(*(reversed(events) if turned else events)))["g-1"]
    assert (call.name, call.parent_id, call.latency_ms) == ("chat", "t-1", 2000)
    assert call.output == {"role": "assistant", "content": "hello"}
    assert not call.partial


def test_a_create_without_an_end_is_a_part() -> None:
    assert read(batch(event("generation-create", GENERATION)))["g-1"].partial


def test_the_trace_is_a_span_and_tells_its_observations_who_asked() -> None:
    spans = read(WHOLE)
    assert (spans["t-1"].kind, spans["t-1"].name, spans["t-1"].span_id) == (SpanKind.CHAIN, "support", "t-1")
    for span in spans.values():
        assert (span.session, span.user, span.environment) == ("s-1", "u-1", "prod")
        assert span.tags == ["eu"]


def test_what_has_no_parent_hangs_under_its_trace() -> None:
    spans = read(WHOLE)
    assert (spans["t-1"].parent_id, spans["sp-1"].parent_id, spans["ev-1"].parent_id) == (None, "t-1", "sp-1")


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        ({"input": 10, "output": 5, "total": 15, "unit": "TOKENS"}, Usage(input=10, output=5)),
        (
            {"prompt_tokens": 10, "prompt_tokens_details": {"cached_tokens": 4}},
            Usage(input=10, cached_input=4),
        ),
        ({"input": "22118"}, Usage(input=22118)),
    ],
)
def test_it_reads_every_spelling_of_usage(usage: dict[str, Any], expected: Usage) -> None:
    assert read(batch(event("generation-create", {**GENERATION, "usage": usage})))["g-1"].usage == expected


CACHED = Usage(input=10, output=5, cached_input=4)


@pytest.mark.parametrize(
    ("details", "expected"),
    [
        (
            {"input": 6, "input_cached_tokens": 4, "output": 5, "total": 15},
            Usage(input=10, output=5, cached_input=4),
        ),
        (
            {"input": 10, "input_cached_tokens": 4, "output": 5, "total": 15},
            Usage(input=10, output=5, cached_input=4),
        ),
        ({"input": 1, "output": 3, "output_reasoning_tokens": 2}, Usage(input=1, output=5, reasoning=2)),
        (
            {"input": 1, "cache_read_input_tokens": 2, "cache_creation_input_tokens": 3},
            Usage(input=6, cached_input=2, cache_write=3),
        ),
    ],
)
def test_details_are_added_only_when_they_exclude_one_another(
    details: dict[str, Any], expected: Usage
) -> None:
    assert (
        read(batch(event("generation-create", {**GENERATION, "usageDetails": details})))["g-1"].usage
        == expected
    )


def test_what_an_agent_reports_is_not_counted() -> None:
    body = {"id": "a", "traceId": "t", "name": "agent", "usageDetails": {"input": 9}, "endTime": AT.format(1)}
    agent = read(batch(event("agent-create", body)))["a"]
    assert (agent.kind, agent.usage) == (SpanKind.AGENT, Usage())
    assert agent.attributes["usage_reported"] == {"input": 9}


def test_a_tool_is_a_call_and_its_result() -> None:
    body = {
        "id": "x",
        "traceId": "t",
        "name": "get_order",
        "input": {"id": 1},
        "output": {"status": "shipped"},
    }
    tool = read(batch(event("tool-create", body)))["x"]
    assert tool.messages[0]["tool_calls"][0]["function"] == {"name": "get_order", "arguments": '{"id":1}'}
    assert tool.output == {
        "role": "tool",
        "tool_call_id": "",
        "content": '{"status":"shipped"}',
        "name": "get_order",
    }


def test_an_error_level_is_an_error() -> None:
    body = {**GENERATION, "level": "ERROR", "statusMessage": "429"}
    assert read(batch(event("generation-create", body)))["g-1"].error == "429"


def test_it_reads_the_scores_that_the_real_client_posts() -> None:
    with running({}) as inbox:
        client = Langfuse(
            public_key="pk-lf-1", secret_key="sk-lf-1", base_url=inbox.url, tracing_enabled=True
        )
        client.create_score(name="ok", value=1.0, trace_id="a" * 32, observation_id="b" * 16, comment="fine")
        client.flush()
        client.shutdown()
    (posted,) = [json.loads(body) for path, _, body in inbox.requests if path == "/api/public/scores"]
    whole = batch_of_scores(posted)
    assert matches(whole)
    (score,) = records(whole)
    assert isinstance(score, Record)
    assert (score.trace_id, score.span_id, score.partial) == ("a" * 32, "b" * 16, True)
    assert score.attributes["scores"]["ok"]["value"] == 1
    assert score.attributes["scores"]["ok"]["comment"] == "fine"
    assert answers(whole)[1] == []


def test_a_list_of_something_else_is_no_scores() -> None:
    with pytest.raises(MalformedError, match="score"):
        batch_of_scores([1])


BAD = [
    (7, "must be an object"),
    ({"id": "e", "type": "x", "timestamp": AT.format(0), "body": {}}, "unknown"),
    (event("span-create", {}, timestamp="soon"), "timestamp"),
    (event("span-create", None), "body"),
    (event("span-create", {}, id=None), "no id"),
    (event("span-update", {"traceId": "t"}), "updates nothing"),
    (event("score-create", {"name": "ok"}), "traceId"),
]


@pytest.mark.parametrize(("bad", "reason"), BAD)
def test_it_refuses_a_bad_event_alone(bad: Any, reason: str) -> None:
    row = batch(event("trace-create", TRACE), bad, event("generation-create", GENERATION))
    found = list(records(row))
    successes, errors = answers(row)
    assert [type(item) for item in found] == [Record, Reject, Record]
    assert reason in found[1].reason
    assert [success["status"] for success in successes] == [201, 201]
    assert [(error["status"], reason in error["error"]) for error in errors] == [(400, True)]
    assert errors[0]["id"]


@pytest.mark.parametrize("row", [{}, {"batch": None}, [], None])
def test_a_body_without_a_batch_is_malformed(row: Any) -> None:
    for read_by in (lambda: list(records(row)), lambda: answers(row)):
        with pytest.raises(MalformedError, match="batch"):
            read_by()


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_a_mutated_batch_is_answered_as_it_is_read(data: st.DataObject) -> None:
    row = mutated(data, WHOLE)
    try:
        successes, errors = answers(row)
    except MalformedError:
        assert not matches(row)
        return
    found = list(records(row))
    assert all(isinstance(item, Record | Reject) for item in found)
    assert sum(isinstance(item, Reject) for item in found) == len(errors)
    assert len(successes) + len(errors) == len(row["batch"])
