from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from slmhub.formats import Issue, MalformedError, Record, Reject, SpanKind, parse_row, read
from slmhub.formats.reader import parse_rows
from tests.formats.worlds import LOOKUP, TAU

TRACES = TAU.parent
USER = {"role": "user", "content": "Hi"}
CALL: dict[str, Any] = {
    "role": "assistant",
    "tool_calls": [{"id": "c1", "name": "find", "arguments": {"id": 1}, "requestor": "assistant"}],
    "usage": {"prompt_tokens": 100, "completion_tokens": 8},
    "cost": 0.002,
    "generation_time_seconds": 1.5,
    "timestamp": "2026-05-31T20:36:04",
    "raw_data": {
        "id": "r1",
        "model": "gpt-4.1-2025",
        "choices": [{"finish_reason": "tool_calls"}],
        "usage": {"prompt_tokens_details": {"cached_tokens": 64}},
    },
}
SIMULATION = {
    "id": "sim",
    "task_id": "7",
    "reward_info": {"reward": 1.0},
    "messages": [
        {"role": "assistant", "content": "Hello!", "cost": 0.0, "usage": None},
        USER,
        CALL,
        {"role": "tool", "id": "c1", "content": "found", "requestor": "assistant"},
        {"role": "user", "tool_calls": [{"id": "u1", "name": "look"}], "content": None},
        {"role": "tool", "id": "u1", "content": "secret", "requestor": "user"},
        {"role": "assistant", "content": "Here.", "usage": {"prompt_tokens": 120, "completion_tokens": 2}},
    ],
}
TAU2 = {
    "info": {
        "agent_info": {
            "implementation": "llm_agent",
            "llm": "openai/gpt-4.1",
            "llm_args": {"temperature": 0.0},
        },
        "environment_info": {"domain_name": "airline", "policy": "Be kind.", "tool_defs": [{"name": "find"}]},
    },
    "tasks": [],
    "simulations": [SIMULATION],
}
STEP = {"role": "assistant", "content": "Look.", "thought": "Look.", "action": "ls", "agent": "main"}
SWE: dict[str, Any] = {
    "history": [
        {"role": "system", "content": "Fix it.", "agent": "main"},
        {"role": "user", "content": "Demo", "agent": "main", "is_demo": True},
        {**STEP, "content": "Demo answer", "is_demo": True},
        {**STEP, "tool_calls": [LOOKUP]},
        {"role": "tool", "content": "a.py", "agent": "main", "tool_call_ids": ["call_1"]},
        {**STEP, "content": "Other agent", "agent": "second"},
    ],
    "trajectory": [
        {"response": "Look.", "observation": "a.py", "execution_time": 0.5},
        {"response": "Other agent", "observation": ""},
        {"response": "submit", "observation": "done"},
    ],
    "info": {"exit_status": "submitted", "model_stats": {"tokens_sent": 7}},
    "replay_config": '{"agent": {"model": {"name": "gpt-4o"}}, "problem_statement": {"id": "repo-1"}}',
}


def records_of(row: Any) -> list[Record]:
    return [item for item in parse_rows(row) if isinstance(item, Record)]


def test_every_turn_of_the_agent_s_model_is_a_call_of_its_session() -> None:
    first, second = records_of(TAU2)
    assert {first.session, second.session} == {"sim"}
    assert [message["role"] for message in first.messages] == ["system", "assistant", "user"]
    assert first.output == {
        "role": "assistant",
        "content": None,
        "tool_calls": [
            {"id": "c1", "type": "function", "function": {"name": "find", "arguments": '{"id":1}'}}
        ],
    }
    assert (second.output, first.attributes["outcome"]) == (
        {"role": "assistant", "content": "Here."},
        "success",
    )


def test_the_agent_does_not_see_what_the_user_does_alone() -> None:
    _, second = records_of(TAU2)
    assert "secret" not in str(second.messages)
    assert second.messages[-1] == {"role": "tool", "tool_call_id": "c1", "content": "found"}


def test_it_takes_usage_cost_and_times_of_a_turn() -> None:
    first, _ = records_of(TAU2)
    assert (first.usage.input, first.usage.output, first.usage.cached_input) == (100, 8, 64)
    assert (first.cost, first.latency_ms, first.finish_reason) == (0.002, 1500, "tool_calls")
    assert (first.provider, first.model, first.parameters) == ("openai", "gpt-4.1-2025", {"temperature": 0.0})
    assert first.started_at is not None
    assert first.started_at.isoformat() == "2026-05-31T20:36:02.500000+00:00"
    assert first.tools == [{"type": "function", "function": {"name": "find"}}]


def test_a_bad_simulation_costs_no_other() -> None:
    items = parse_rows({**TAU2, "simulations": [5, {"messages": [5]}, SIMULATION]})
    assert [type(item) for item in items] == [Reject, Reject, Record, Record]


def test_it_reads_a_simulation_that_stands_alone() -> None:
    assert len(records_of(SIMULATION)) == 2


def test_it_reads_a_trajectory_of_tau_bench() -> None:
    turns = [
        {"role": "system", "content": "S"},
        USER,
        {"role": "assistant", "content": None, "tool_calls": [LOOKUP]},
    ]
    turns += [
        {"role": "tool", "tool_call_id": "call_1", "content": "x"},
        {"role": "assistant", "content": "Done"},
    ]
    row = {"task_id": 3, "reward": 0.0, "info": {}, "traj": turns, "trial": 1}
    first, second = records_of(row)
    assert (len(first.messages), len(second.messages)) == (2, 4)
    assert (first.format, first.attributes["outcome"]) == ("tau_bench", "failure")
    assert first.attributes["metadata"] == {"task_id": 3, "reward": 0.0, "trial": 1}


def test_it_refuses_a_session_whose_calls_would_be_immense() -> None:
    with pytest.raises(MalformedError, match="at most 4,000 are read"):
        parse_row({"reward": 1, "traj": [USER] * 4001})


def test_every_step_of_swe_agent_is_a_call_but_demonstrations_are_none() -> None:
    root, first, second, last = records_of(SWE)
    assert (root.kind, root.attributes["usage_reported"]) == (SpanKind.AGENT, {"tokens_sent": 7})
    assert {record.parent_id for record in (first, second, last)} == {root.span_id}
    assert [message["content"] for message in first.messages] == ["Fix it.", "Demo", "Demo answer"]
    assert (first.model, first.attributes["tool_seconds"]) == ("gpt-4o", 0.5)
    assert first.output is not None
    assert first.output["tool_calls"] == [LOOKUP]


def test_an_agent_of_swe_agent_sees_only_its_own_messages() -> None:
    _, _, second, _ = records_of(SWE)
    assert (second.agent, second.messages) == ("second", [])


def test_it_adds_the_step_that_the_history_lacks() -> None:
    *_, last = records_of(SWE)
    assert last.output == {"role": "assistant", "content": "submit"}


def test_it_reads_a_trajectory_without_a_history() -> None:
    _, first, second, third = records_of({"trajectory": SWE["trajectory"]})
    assert [len(record.messages) for record in (first, second, third)] == [0, 2, 4]


def test_every_talk_of_a_toolbench_tree_is_a_call() -> None:
    asked = {"role": "assistant", "content": None, "function_call": {"name": "find", "arguments": "{'a'"}}
    talk = [
        USER,
        asked,
        {"role": "function", "name": "find", "content": "x"},
        {"role": "assistant", "content": "B"},
    ]
    answer = {"function": [{"name": "find"}], "train_messages": [talk[:2], talk, [USER]], "query": "q"}
    first, second, bad = parse_rows({"win": True, "tree": {}, "answer_generation": answer})
    assert isinstance(first, Record)
    assert isinstance(second, Record)
    assert isinstance(bad, Reject)
    assert first.attributes["issues"] == [Issue.ARGUMENTS_NOT_JSON]
    assert first.tools == [{"type": "function", "function": {"name": "find"}}]
    assert second.messages[2]["role"] == "tool"
    assert second.messages[2]["tool_call_id"] == second.messages[1]["tool_calls"][0]["id"]


@pytest.mark.skipif(not TRACES.exists(), reason=f"{TRACES} is not here")
@pytest.mark.parametrize(
    ("folder", "calls", "rejected"),
    [("tau2_activegraph", 166, 0), ("swe_agent", 232, 0), ("toolbench", 49, 2)],
)
def test_it_reads_real_runs_to_the_last_turn(folder: str, calls: int, rejected: int) -> None:
    items = [item for path in sorted(Path(TRACES / folder).iterdir()) for item in read(path)]
    records = [item for item in items if isinstance(item, Record)]
    assert len({(record.trace_id, record.span_id) for record in records}) == len(records)
    assert sum(record.kind is SpanKind.LLM for record in records) == calls
    assert sum(isinstance(item, Reject) for item in items) == rejected
