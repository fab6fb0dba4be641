"""Fine-tuning lines as OpenAI takes them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from slmhub.formats import Issue, MalformedError, parse_row

PUBLISHED = Path(__file__).parents[3] / "shared/data/finetune_formats"
QUESTION = {"role": "user", "content": "q"}


def calling(arguments: Any) -> dict[str, Any]:
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": arguments}}
    return {"role": "assistant", "content": None, "tool_calls": [call]}


def test_weights_are_kept_beside_the_messages() -> None:
    wrong = {"role": "assistant", "content": "b", "weight": 0}
    answer = {"role": "assistant", "content": "a", "weight": 1}
    record = parse_row({"messages": [QUESTION, wrong, QUESTION, answer]})
    assert record.output == {"role": "assistant", "content": "a"}
    assert record.messages[1] == {"role": "assistant", "content": "b"}
    assert record.attributes["weights"] == [None, 0, None, 1]


def test_arguments_that_are_json_in_json_are_kept_and_noted() -> None:
    twice = json.dumps(json.dumps({"a": 1}))
    record = parse_row({"messages": [QUESTION, calling(twice)]})
    assert record.output is not None
    assert record.output["tool_calls"][0]["function"]["arguments"] == twice
    assert record.attributes["issues"] == [Issue.ARGUMENTS_NOT_JSON]
    assert "issues" not in parse_row({"messages": [QUESTION, calling('{"a": 1}')]}).attributes


def test_a_line_that_ends_with_the_user_is_refused_with_the_reason() -> None:
    with pytest.raises(MalformedError, match="no answer to learn"):
        parse_row({"messages": [QUESTION], "reference_answer": "a"})


@pytest.mark.skipif(not PUBLISHED.exists(), reason="the published files of ../shared/data are not here")
@pytest.mark.parametrize(
    ("name", "rows", "noted"),
    [("openai_toy_chat_fine_tuning.jsonl", 5, 0), ("openai_drone_training_excerpt.jsonl", 3, 1)],
)
def test_every_published_line_is_a_call(name: str, rows: int, noted: int) -> None:
    records = [parse_row(json.loads(line)) for line in (PUBLISHED / name).read_text().splitlines()]
    assert len(records) == rows
    assert all(record.format == "openai_finetune" and record.output for record in records)
    assert sum("issues" in record.attributes for record in records) == noted
