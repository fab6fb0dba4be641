"""Runs of LangSmith: batches, exports and single runs, and the real ones of its SDKs."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slmhub.formats.exchanges import openai_chat
from slmhub.formats.merge import joined
from slmhub.formats.platforms.langsmith_runs import matches, records
from slmhub.formats.records import MalformedError, Record, Reject, SpanKind, Usage
from tests.formats.mutations import mutated
from tests.formats.worlds import TAU

WIRE = Path(__file__).parents[3] / "shared/data/wire"
SDK_RUNS = sorted(WIRE.glob("langsmith_sdk_runs/*.json"))
REPLAY = WIRE / "sdk_replay/langsmith.jsonl.gz"
needs_data = pytest.mark.skipif(not SDK_RUNS, reason="../shared/data is not here")

ROOT, CHILD = "11111111-aaaa-bbbb-cccc-000000000000", "22222222-aaaa-bbbb-cccc-000000000000"
ORDER = f"20260101T000000000000Z{ROOT}.20260101T000001000000Z{CHILD}"


def run(**changes: Any) -> dict[str, Any]:
    made: dict[str, Any] = {
        "id": CHILD,
        "run_type": "llm",
        "name": "ChatOpenAI",
        "dotted_order": ORDER,
        "start_time": "2026-01-01T00:00:01+00:00",
        "end_time": "2026-01-01T00:00:03+00:00",
        "inputs": {"messages": [{"role": "user", "content": "hi"}], "model": "gpt-4o", "temperature": 0.5},
        "outputs": {
            "id": "chatcmpl-1",
            "model": "gpt-4o-2024-08-06",
            "choices": [{"message": {"role": "assistant", "content": "hello"}, "finish_reason": "stop"}],
            "usage_metadata": {
                "input_tokens": 9,
                "output_tokens": 5,
                "input_token_details": {"cache_read": 4},
                "output_token_details": {"reasoning": 2},
            },
        },
        "extra": {"metadata": {"ls_provider": "openai", "thread_id": "s-1", "ls_model_name": "gpt-4o"}},
    }
    return {**made, **changes}


def one(**changes: Any) -> Record:
    (record,) = records(run(**changes))
    assert isinstance(record, Record)
    return record


def langchain(class_name: str, /, **kwargs: Any) -> dict[str, Any]:
    path = ["langchain", "schema", "messages", class_name]
    return {"lc": 1, "type": "constructor", "id": path, "kwargs": kwargs}


def test_it_reads_a_call() -> None:
    record = one()
    assert (record.kind, record.name, record.model) == (SpanKind.LLM, "ChatOpenAI", "gpt-4o-2024-08-06")
    assert record.messages == [{"role": "user", "content": "hi"}]
    assert record.output == {"role": "assistant", "content": "hello"}
    assert record.usage == Usage(input=9, output=5, cached_input=4, reasoning=2)
    assert record.parameters == {"temperature": 0.5}
    assert (record.provider, record.finish_reason, record.latency_ms) == ("openai", "stop", 2000)
    assert record.session == "s-1"
    assert not record.partial


def test_the_dotted_order_gives_trace_and_parent() -> None:
    record = one(id=None)
    assert (record.trace_id, record.parent_id, record.span_id) == (ROOT, ROOT, CHILD)
    assert record.attributes["dotted_order"] == ORDER


def test_it_reads_what_langchain_serialised() -> None:
    tool = {"name": "get_order", "description": "d", "input_schema": {"type": "object"}}
    call = {"name": "get_order", "args": {"id": 1}, "id": "c1"}
    answer = langchain(
        "AIMessage",
        content="",
        tool_calls=[call],
        response_metadata={"finish_reason": "tool_use", "model_name": "claude-4"},
        usage_metadata={"input_tokens": 7, "output_tokens": 3, "input_token_details": {"cache_creation": 2}},
    )
    record = one(
        inputs={
            "messages": [[langchain("SystemMessage", content="s"), langchain("HumanMessage", content="hi")]]
        },
        outputs={"generations": [[{"text": "", "message": answer}]], "llm_output": {}},
        extra={"invocation_params": {"tools": [tool], "max_tokens": 100, "_type": "x", "model": "claude"}},
    )
    assert [message["role"] for message in record.messages] == ["system", "user"]
    assert record.output is not None
    assert record.output["tool_calls"][0]["function"] == {"name": "get_order", "arguments": '{"id":1}'}
    assert record.tools == [
        {
            "type": "function",
            "function": {"name": "get_order", "description": "d", "parameters": {"type": "object"}},
        }
    ]
    assert record.parameters == {"max_tokens": 100}
    assert record.model == "claude-4"
    assert (record.finish_reason, record.attributes["finish_reason_given"]) == ("tool_calls", "tool_use")
    assert record.usage == Usage(input=7, output=3, cache_write=2)


def test_it_reads_a_bare_prompt_and_its_completion() -> None:
    record = one(inputs={"prompts": ["hi"]}, outputs={"generations": [[{"text": "hello"}]]})
    assert record.messages == [{"role": "user", "content": "hi"}]
    assert record.output == {"role": "assistant", "content": "hello"}


def test_a_tool_run_is_a_call_and_its_result() -> None:
    result = langchain("ToolMessage", content="shipped", tool_call_id="c1", name="get_order")
    record = one(run_type="tool", name="get_order", inputs={"order_id": "#W1"}, outputs={"output": result})
    assert record.kind is SpanKind.TOOL
    (call,) = record.messages[0]["tool_calls"]
    assert call["id"] == "c1"
    assert call["function"] == {"name": "get_order", "arguments": '{"order_id":"#W1"}'}
    assert record.output == {"role": "tool", "tool_call_id": "c1", "content": "shipped", "name": "get_order"}


def test_what_a_chain_reports_is_not_counted() -> None:
    record = one(
        run_type="chain", inputs={"input": "hi"}, outputs={"output": "hello"}, total_tokens=9, prompt_tokens=9
    )
    assert record.usage == Usage()
    assert record.attributes["usage_reported"] == {"input": 9}
    assert record.messages == [{"role": "user", "content": "hi"}]
    assert record.output == {"role": "assistant", "content": "hello"}


def test_an_export_says_usage_and_cost() -> None:
    record = one(
        total_tokens=30,
        prompt_tokens=20,
        completion_tokens=10,
        prompt_token_details={"cache_read": 5},
        total_cost="0.0125",
        first_token_time="2026-01-01T00:00:01.250000",
    )
    assert record.usage == Usage(input=20, output=10, cached_input=5, reasoning=2)
    assert record.cost == 0.0125
    assert record.ttft_ms == 250


def test_the_first_token_event_gives_the_time_to_it() -> None:
    events = [{"name": "start"}, {"name": "new_token", "time": "2026-01-01T00:00:01.5+00:00", "kwargs": {}}]
    record = one(events=events)
    assert record.ttft_ms == 500
    assert record.attributes["streamed"]
    assert record.attributes["events"] == [{"name": "start"}]


def test_vectors_are_dropped_and_counted() -> None:
    record = one(run_type="embedding", inputs={"texts": ["a", "b"]}, outputs={"embeddings": [[0.1], [0.2]]})
    assert record.kind is SpanKind.EMBEDDING
    assert [message["content"] for message in record.messages] == ["a", "b"]
    assert record.output is None
    assert record.attributes["vectors"] == 2


def test_a_post_without_an_end_is_completed_by_its_patch() -> None:
    post = run(end_time=None, outputs={})
    patch = {key: run()[key] for key in ("dotted_order", "end_time", "outputs", "extra")}
    first, second = records({"post": [post], "patch": [patch]})
    assert isinstance(first, Record)
    assert isinstance(second, Record)
    assert first.partial
    assert first.output is None
    for order in ((first, second), (second, first)):
        (whole,) = joined(order)
        assert isinstance(whole, Record)
        assert not whole.partial
        assert (whole.name, whole.parent_id, whole.latency_ms) == ("ChatOpenAI", ROOT, 2000)
        assert whole.output == {"role": "assistant", "content": "hello"}


def test_it_unwraps_the_chunk_that_the_js_sdk_puts_for_a_finish_reason() -> None:
    choice = {
        "message": {"role": "assistant", "content": "hello"},
        "finish_reason": {"finish_reason": "length"},
    }
    assert one(outputs={"choices": [choice]}).finish_reason == "length"


def test_nested_runs_come_out_with_their_parents() -> None:
    parent = run(
        id="p", dotted_order=None, trace_id="p", child_runs=[run(id="c", dotted_order=None, trace_id=None)]
    )
    first, second = records(parent)
    assert isinstance(first, Record)
    assert isinstance(second, Record)
    assert (second.parent_id, second.trace_id) == ("p", "p")


@pytest.mark.parametrize("row", [{"runs": [run(), 3]}, [run(), {"run_type": "llm"}], {"post": [run(), None]}])
def test_it_rejects_a_bad_run_alone(row: Any) -> None:
    assert matches(row)
    good, bad = records(row)
    assert isinstance(good, Record)
    assert isinstance(bad, Reject)


def test_a_single_run_without_an_id_is_malformed() -> None:
    with pytest.raises(MalformedError, match="no id"):
        list(records(run(id=None, dotted_order=None)))


def test_an_error_is_its_message() -> None:
    assert one(error="RateLimitError('429')", outputs=None).error == "RateLimitError('429')"
    assert one(error=None, status="error").error == "error"


@needs_data
@pytest.mark.parametrize("path", SDK_RUNS, ids=lambda path: path.stem)
def test_it_reads_the_runs_that_the_sdks_post(path: Path) -> None:
    row = json.loads(path.read_text())
    assert matches(row)
    (record,) = joined(records(row))
    assert isinstance(record, Record)
    assert (record.kind, record.provider, record.finish_reason) == (SpanKind.LLM, "openai", "stop")
    assert record.messages[0]["role"] == "user"
    assert record.output is not None
    assert record.output["content"]
    assert record.model
    assert not record.partial
    assert record.latency_ms is not None
    assert record.latency_ms > 0
    assert (record.usage.input is None) == ("no_usage" in path.stem or "no usage" in path.stem)
    assert record.attributes.get("streamed", False) == ("stream" in path.stem)
    if "reasoning" in path.stem:
        assert record.usage.reasoning
    if path.stem.startswith("langsmith_py_wrap_openai_stream"):
        assert record.ttft_ms


def rows_of(path: Path) -> list[Any]:
    return [json.loads(line) for line in gzip.decompress(path.read_bytes()).splitlines()]


@needs_data
def test_the_replayed_calls_are_those_that_were_made() -> None:
    captured = [row["json"] for row in rows_of(REPLAY)]
    found = list(joined(item for row in captured for item in records(row)))
    calls = sorted(
        (record for record in found if isinstance(record, Record) and record.kind is SpanKind.LLM),
        key=lambda record: record.attributes["dotted_order"],
    )
    assert len(calls) == 58
    wanted = {call.attributes["response_id"] for call in calls}
    made = {row["id"]: openai_chat.parse(row) for row in rows_of(TAU) if row["id"] in wanted}
    for call in calls:
        asked = made[call.attributes["response_id"]]
        assert call.messages == asked.messages
        assert call.output == asked.output
        assert (call.tools, call.model, call.session) == (asked.tools, asked.model, asked.session)
        assert (call.usage, call.finish_reason) == (asked.usage, asked.finish_reason)
        assert call.parameters == asked.parameters
    order = list(made)
    by_session: dict[Any, list[int]] = {}
    for call in calls:
        by_session.setdefault(call.session, []).append(order.index(call.attributes["response_id"]))
    assert all(places == sorted(places) for places in by_session.values())


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_a_mutated_batch_raises_nothing_but_malformed(data: st.DataObject) -> None:
    call = langchain(
        "AIMessage", content=[{"type": "text", "text": "x"}], tool_calls=[{"name": "f", "args": {}}]
    )
    whole = {
        "post": [run(child_runs=[run(id="c")]), run(run_type="tool"), run(run_type="embedding")],
        "patch": [run(outputs={"generations": [[{"message": call}]]})],
        "feedback": [{"run_id": "r", "key": "k", "score": 1}],
    }
    row = mutated(data, whole)
    if not matches(row):
        return
    try:
        found = list(records(row))
    except MalformedError:
        return
    assert all(isinstance(item, Record | Reject) for item in found)
