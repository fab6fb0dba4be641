from __future__ import annotations

from typing import Any

import pytest

from slmhub.formats import MalformedError, Record, parse_row, read
from tests.formats.worlds import LOOKUP, TAU

METAGPT = TAU.parent / "metagpt_rsp_cache.jsonl.gz"
ASKED = {"role": "user", "content": "Hi"}


def answer(text: str) -> dict[str, Any]:
    return {"role": "assistant", "content": text}


@pytest.mark.parametrize("word", ["output", "completion"])
def test_it_reads_a_preference_under_both_spellings(word: str) -> None:
    row = {
        "input": {"messages": [ASKED], "tools": [{"type": "function"}], "parallel_tool_calls": False},
        f"preferred_{word}": [answer("A")],
        f"non_preferred_{word}": [answer("B")],
    }
    record = parse_row(row)
    assert (record.format, record.messages, record.output) == ("openai_dpo", [ASKED], answer("A"))
    assert record.attributes["non_preferred"] == [answer("B")]
    assert record.parameters == {"parallel_tool_calls": False}
    assert record.tools == [{"type": "function"}]


def test_it_keeps_a_preferred_tool_call() -> None:
    call = {"role": "assistant", "content": None, "tool_calls": [LOOKUP]}
    record = parse_row({"input": {"messages": [ASKED]}, "preferred_output": [call]})
    assert record.output == call


@pytest.mark.parametrize(
    "row",
    [
        {"input": 1, "preferred_output": []},
        {"input": {"messages": [ASKED]}, "preferred_output": []},
        {"input": {"messages": [ASKED]}, "preferred_output": [ASKED]},
        {"input": {"messages": [ASKED]}, "preferred_output": "A"},
    ],
)
def test_it_refuses_a_preference_without_an_answer(row: Any) -> None:
    with pytest.raises(MalformedError):
        parse_row(row)


def test_it_reads_alpaca_with_its_input_system_and_history() -> None:
    row = {
        "instruction": "Add.",
        "input": "2, 2",
        "output": "4",
        "system": "You add.",
        "history": [["1, 1", "2"]],
    }
    record = parse_row(row)
    assert [message["content"] for message in record.messages] == ["You add.", "1, 1", "2", "Add.\n2, 2"]
    assert (record.format, record.output) == ("alpaca", answer("4"))


def test_it_reads_alpaca_s_preferences() -> None:
    record = parse_row({"instruction": "Add.", "input": "", "chosen": "4", "rejected": "5"})
    assert (record.output, record.attributes["non_preferred"]) == (answer("4"), [answer("5")])
    record = parse_row({"instruction": "Add.", "output": ["4", "5"]})
    assert (record.output, record.attributes["non_preferred"]) == (answer("4"), [answer("5")])


@pytest.mark.parametrize(
    "row",
    [
        {"instruction": "", "output": "4"},
        {"instruction": "Add.", "output": ""},
        {"instruction": 5, "output": "4"},
        {"instruction": "Add.", "output": "4", "history": [["a"]]},
    ],
)
def test_it_refuses_alpaca_rows_that_lack_a_side(row: Any) -> None:
    with pytest.raises(MalformedError):
        parse_row(row)


@pytest.mark.parametrize(
    "row",
    [
        {"prompt": "Hi", "completion": "Yo"},
        {"prompt": "Hi", "response": "Yo"},
        {"input": "Hi", "output": "Yo"},
        {"question": "Hi", "answer": "Yo"},
        {"prompt": [ASKED], "completion": [answer("Yo")]},
        {"prompt": [ASKED], "chosen": [ASKED, answer("Yo")], "rejected": [ASKED, answer("No")]},
    ],
)
def test_it_reads_bare_pairs_in_their_many_words(row: Any) -> None:
    record = parse_row(row)
    assert (record.format, record.messages, record.output) == ("prompt_completion", [ASKED], answer("Yo"))


def test_it_keeps_the_columns_beside_a_pair() -> None:
    record = parse_row(
        {"prompt": "Hi", "completion": "Yo", "system": "Short.", "id": 7, "model": "m", "fold": 3}
    )
    assert record.messages[0] == {"role": "system", "content": "Short."}
    assert (record.span_id, record.model, record.attributes["fold"]) == ("7", "m", 3)


@pytest.mark.parametrize("row", [{"prompt": "Hi", "completion": ""}, {"prompt": "Hi", "completion": []}])
def test_it_refuses_a_pair_without_an_answer(row: Any) -> None:
    with pytest.raises(MalformedError, match="no answer to learn"):
        parse_row(row)


@pytest.mark.skipif(not METAGPT.exists(), reason=f"{METAGPT} is not here")
def test_it_reads_cached_answers_of_which_some_are_objects() -> None:
    records = [item for item in read(METAGPT) if isinstance(item, Record)]
    assert len(records) == 425
    assert all(isinstance(record.output and record.output["content"], str) for record in records)
