from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from slmhub.ml.prompt_formats.compact import (
    NOTHING_STATIC,
    StaticMessage,
    StaticPrompt,
    parse_answer,
    render_answer,
    render_prompt,
)

GOLDEN = Path(__file__).parent / "golden" / "compact.jsonl"
SYSTEM = {"role": "system", "content": "You help."}
FIND = {
    "type": "function",
    "function": {"name": "find", "parameters": {"type": "object", "properties": {"city": {}, "day": {}}}},
}

text = st.text(st.characters(exclude_categories=("Cs",)))
leaves = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | text
values = st.recursive(leaves, lambda inner: st.lists(inner) | st.dictionaries(text, inner), max_leaves=8)
arguments = st.dictionaries(text, values)


def user(content: object) -> dict[str, object]:
    return {"role": "user", "content": content}


def call(name: str, arguments: str) -> dict[str, object]:
    return {"id": "call_1", "type": "function", "function": {"name": name, "arguments": arguments}}


def test_it_shows_a_single_user_message_as_its_text() -> None:
    assert render_prompt([user("Order [ID_12]?")], None) == "Order [ID_12]?"


def test_it_leaves_out_what_is_static() -> None:
    static = StaticPrompt.of([([SYSTEM, user("a")], [FIND]), ([SYSTEM, user("b")], [FIND])])

    assert static == StaticPrompt((StaticMessage("system", "You help."),), toolset=True)
    assert render_prompt([SYSTEM, user("c")], [FIND], static) == "c"


def test_it_keeps_a_system_text_that_differs_from_the_static_one() -> None:
    static = StaticPrompt.of([([SYSTEM, user("a")], None)])
    other = {"role": "system", "content": "Be rude."}

    assert render_prompt([other, user("c")], None, static) == "system: Be rude.\nuser: c"


def test_it_never_makes_the_last_message_static() -> None:
    assert StaticPrompt.of([([user("same")], None), ([user("same")], None)]).messages == ()


def test_it_does_not_prune_tools_that_differ() -> None:
    assert not StaticPrompt.of([([user("a")], [FIND]), ([user("b")], None)]).toolset


def test_it_marks_roles_when_more_than_one_message_remains() -> None:
    messages = [
        user("weather?"),
        {"role": "assistant", "content": None, "tool_calls": [call("find", '{"city": "Oslo"}')]},
        {"role": "tool", "tool_call_id": "call_1", "content": "rain"},
    ]

    assert render_prompt(messages, None) == (
        'user: weather?\nassistant: {"tool":"find","args":{"city":"Oslo"}}\ntool: rain'
    )


def test_it_keeps_only_the_window_of_last_messages() -> None:
    messages = [user("one"), {"role": "assistant", "content": "two"}, user("three")]

    assert render_prompt(messages, None, StaticPrompt(window=1)) == "three"
    assert render_prompt(messages, None, NOTHING_STATIC).count("\n") == 2


def test_it_lists_tools_that_are_not_static() -> None:
    assert render_prompt([user("hi")], [FIND]) == "tools: find(city,day)\nhi"


def test_it_names_parts_that_are_not_text() -> None:
    parts = [{"type": "text", "text": "see"}, {"type": "image_url", "image_url": {"url": "data:…"}}]

    assert render_prompt([user(parts)], None) == "see\n[image_url]"


def test_it_replaces_lone_surrogates_so_that_a_tokenizer_can_encode_the_text() -> None:
    assert render_prompt([user("a\ud800b")], None) == "a?b"


@given(arguments)
def test_it_gives_back_the_arguments_of_a_call_in_their_order(value: dict[str, object]) -> None:
    written = render_answer({"role": "assistant", "tool_calls": [call("find", json.dumps(value))]})
    message = parse_answer(written, [FIND])

    (parsed,) = message["tool_calls"]
    assert message["content"] is None
    assert parsed["function"]["name"] == "find"
    assert json.loads(parsed["function"]["arguments"]) == value
    assert list(json.loads(parsed["function"]["arguments"])) == list(value)


@given(st.lists(arguments, min_size=2, max_size=4))
def test_it_gives_back_several_calls_with_ids_of_their_own(several: list[dict[str, object]]) -> None:
    calls = [call("find", json.dumps(value)) for value in several]
    parsed = parse_answer(render_answer({"tool_calls": calls}), [FIND])["tool_calls"]

    assert [json.loads(one["function"]["arguments"]) for one in parsed] == several
    assert len({one["id"] for one in parsed}) == len(several)


@given(text)
def test_it_gives_back_plain_text_when_no_tool_is_offered(content: str) -> None:
    message = {"role": "assistant", "content": content}

    assert parse_answer(render_answer(message), None) == message


def test_it_keeps_arguments_that_are_not_json_as_they_are() -> None:
    for broken in ('{"city": ', "NaN", "[1]"):
        written = render_answer({"tool_calls": [call("find", broken)]})
        (parsed,) = parse_answer(written, [FIND])["tool_calls"]
        assert parsed["function"]["arguments"] == broken


def test_it_takes_a_call_to_a_tool_that_is_not_offered_for_text() -> None:
    written = '{"tool":"drop_table","args":{}}'

    assert parse_answer(written, [FIND]) == {"role": "assistant", "content": written}


def test_it_takes_json_that_is_no_call_for_text() -> None:
    for written in ('{"tool":"find"}', "[]", '{"tool":["find"],"args":{}}', "[" * 100_000, '{"a":1}'):
        assert "tool_calls" not in parse_answer(written, [FIND])


def test_it_survives_the_way_through_json() -> None:
    static = StaticPrompt((StaticMessage("system", "You help."),), toolset=True, window=3)

    assert StaticPrompt.from_json(json.loads(json.dumps(static.to_json()))) == static
    assert StaticPrompt.from_json(None) == NOTHING_STATIC


def without_ids(message: dict[str, Any]) -> dict[str, Any]:
    calls = [
        {key: value for key, value in call.items() if key != "id"} for call in message.get("tool_calls", ())
    ]
    return {**message, "tool_calls": calls} if calls else message


def test_it_writes_and_reads_byte_for_byte_what_specialists_were_trained_on() -> None:
    """Rows of the demo's log and odd ones, written down when this was the only format there was."""
    for line in GOLDEN.read_text().splitlines():
        row = json.loads(line)
        static = StaticPrompt.from_json(row["static"])
        assert render_prompt(row["messages"], row["tools"], static) == row["prompt"]
        assert render_answer(row["answer"]) == row["completion"]
        assert without_ids(parse_answer(row["completion"], row["tools"])) == without_ids(row["parsed"])


def test_it_imports_without_torch() -> None:
    code = "import sys, slmhub.ml.prompt_formats; sys.exit('torch' in sys.modules or 'numpy' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
