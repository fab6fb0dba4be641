from __future__ import annotations

import json
from typing import Any

import pytest

from slmhub.formats import MalformedError, Record, Reject, detect, parse_row, read
from tests.formats.worlds import FINETUNE, stream_of

TOOLS = [{"name": "find", "description": "Finds.", "parameters": {"type": "object"}}]
ROW: dict[str, Any] = {
    "conversations": [
        {"from": "human", "value": "Where is it?"},
        {"from": "function_call", "value": '{"name": "find", "arguments": {"what": "it"}}'},
        {"from": "observation", "value": "here"},
        {"from": "gpt", "value": "Here."},
    ],
    "tools": json.dumps(TOOLS),
    "system": "You find things.",
}
SAID = ROW["conversations"]


def test_it_reads_a_conversation_as_one_call() -> None:
    record = parse_row(ROW)
    assert record.format == "sharegpt"
    assert [message["role"] for message in record.messages] == ["system", "user", "assistant", "tool"]
    assert record.output == {"role": "assistant", "content": "Here."}
    assert record.tools == [{"type": "function", "function": TOOLS[0]}]


def test_it_links_a_tool_call_with_its_result() -> None:
    _, _, called, answered = parse_row(ROW).messages
    (call,) = called["tool_calls"]
    assert call["function"] == {"name": "find", "arguments": '{"what":"it"}'}
    assert answered == {"role": "tool", "tool_call_id": call["id"], "content": "here"}


def test_it_learns_a_tool_call_when_that_comes_last() -> None:
    record = parse_row({**ROW, "conversations": SAID[:2]})
    assert record.output is not None
    assert record.output["tool_calls"][0]["function"]["name"] == "find"


def test_it_drops_turns_without_an_answer_and_says_how_many() -> None:
    record = parse_row({**ROW, "conversations": [*SAID, {"from": "human", "value": "Thanks"}]})
    assert record.output == {"role": "assistant", "content": "Here."}
    assert record.attributes["unanswered_turns"] == 1


@pytest.mark.parametrize(
    "said",
    [
        SAID[:1],
        [{"from": "human", "value": "Hi"}, "text"],
        [{"from": "human", "value": "Hi"}, {"value": "Hello"}],
        [{"from": "human", "value": "Hi"}, {"from": "function_call", "value": "find it"}],
        [{"from": "gpt", "value": 5}],
    ],
)
def test_it_refuses_a_conversation_without_an_answer(said: list[Any]) -> None:
    with pytest.raises(MalformedError):
        parse_row({"conversations": said})


def test_the_system_turn_stands_above_the_column() -> None:
    record = parse_row({**ROW, "conversations": [{"from": "system", "value": "Own."}, *SAID]})
    assert [message["content"] for message in record.messages if message["role"] == "system"] == ["Own."]


def test_it_reads_preferences() -> None:
    row = {
        "conversations": SAID[:1],
        "chosen": {"from": "gpt", "value": "A"},
        "rejected": {"from": "gpt", "value": "B"},
    }
    record = parse_row(row)
    assert record.output == {"role": "assistant", "content": "A"}
    assert record.attributes["non_preferred"] == [{"role": "assistant", "content": "B"}]


@pytest.mark.parametrize(("tag", "outcome"), [(True, "success"), (False, "failure")])
def test_it_takes_a_judgement_as_the_outcome(tag: bool, outcome: str) -> None:
    row = {
        "messages": [{"role": "user", "content": "A"}, {"role": "assistant", "content": "B"}],
        "kto_tag": tag,
    }
    assert parse_row(row).attributes["outcome"] == outcome


def test_it_reads_reasoning_and_tool_calls_that_stand_in_parts() -> None:
    call = {"type": "tool_call", "value": '{"name": "find", "arguments": {}}'}
    row = {
        "messages": [
            {"role": "user", "content": [{"type": "text", "value": "Where?"}]},
            {"role": "assistant", "content": [{"type": "reasoning", "value": "Hm."}, call, call]},
            {"role": "tool", "content": [{"type": "text", "value": "here"}]},
            {"role": "assistant", "content": [{"type": "text", "value": "Here."}]},
        ]
    }
    record = parse_row(row)
    assert record.messages[0] == {"role": "user", "content": "Where?"}
    assert record.messages[1]["content"] == [{"type": "reasoning", "text": "Hm."}]
    ids = [call["id"] for call in record.messages[1]["tool_calls"]]
    assert len(set(ids)) == 2
    assert record.messages[2] == {"role": "tool", "tool_call_id": ids[0], "content": "here"}
    assert record.output == {"role": "assistant", "content": "Here."}


def test_it_leaves_openai_s_own_lines_to_their_format() -> None:
    row = {"messages": [{"role": "user", "content": "A"}, {"role": "assistant", "content": "B"}]}
    assert detect([json.dumps(row).encode()]) == "openai_finetune"


@pytest.mark.skipif(not FINETUNE.exists(), reason=f"{FINETUNE} is not here")
@pytest.mark.parametrize(
    ("name", "format", "rows"),
    [
        ("llamafactory_glaive_toolcall_en_demo.json.gz", "sharegpt", 300),
        ("llamafactory_reason_tool_use_demo_50.jsonl.gz", "sharegpt", 50),
        ("llamafactory_v1_sft_demo.jsonl.gz", "sharegpt", 500),
        ("sharegpt_fastchat_dummy_conversation.json", "sharegpt", 500),
        ("llamafactory_alpaca_en_demo.json.gz", "alpaca", 999),
    ],
)
def test_it_reads_published_files_to_the_last_row(name: str, format: str, rows: int) -> None:
    records = [item for item in read(FINETUNE / name) if isinstance(item, Record)]
    assert [record.format for record in records] == [format] * rows
    assert all(record.output is not None and record.messages for record in records)
    results = [(m, r.messages) for r in records for m in r.messages if m["role"] == "tool"]
    made = [{c["id"] for m in said for c in m.get("tool_calls", ())} for _, said in results]
    assert all(result["tool_call_id"] in ids for (result, _), ids in zip(results, made, strict=True))


@pytest.mark.skipif(not FINETUNE.exists(), reason=f"{FINETUNE} is not here")
def test_it_refuses_a_list_of_data_sets() -> None:
    (item,) = read(FINETUNE / "llamafactory_dataset_info.json")
    assert isinstance(item, Reject)
    assert item.reason.startswith("unknown shape: keys adgen_eval")


def test_it_gives_the_same_row_the_same_id() -> None:
    first, second, other = read(stream_of(ROW, ROW, {**ROW, "system": "x"}))
    assert isinstance(first, Record)
    assert isinstance(second, Record)
    assert isinstance(other, Record)
    assert first.span_id == second.span_id != other.span_id
