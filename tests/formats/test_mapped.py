from __future__ import annotations

from typing import Any

import pytest

from slmhub.formats import MalformedError, Record
from slmhub.formats.mapped import Mapping, PathError, apply, check, fingerprint, paths_of, suggest, value_at

LOG: dict[str, Any] = {
    "call": {"uid": 17, "at": "2025-03-01T10:00:00Z", "took": 1200, "odd.key": "gpt-x"},
    "chat": [
        {"speaker": "caller", "said": {"text": "Where is it?"}},
        {"speaker": "machine", "said": {"text": "On its way."}},
        {"speaker": "caller", "said": {"text": "Thanks."}},
    ],
    "tokens": {"in": "120", "out": 8},
    "shop": "north",
}
DRAWN = Mapping(
    messages="chat",
    role_key="speaker",
    content_key="said.text",
    roles={"caller": "user", "machine": "assistant"},
    id="call.uid",
    started_at="call.at",
    latency_ms="call.took",
    model='call["odd.key"]',
    input_tokens="tokens.in",
    output_tokens="tokens.out",
)


def test_it_reads_a_row_as_the_person_drew_it() -> None:
    record = apply(LOG, DRAWN)
    assert [(message["role"], message["content"]) for message in record.messages] == [
        ("user", "Where is it?")
    ]
    assert record.output is not None
    assert record.output["content"] == "On its way."
    assert (record.span_id, record.model, record.format) == ("17", "gpt-x", "mapped")
    assert (record.usage.input, record.usage.output, record.latency_ms) == (120, 8, 1200)
    assert record.started_at is not None
    assert record.ended_at is not None
    assert (record.ended_at - record.started_at).total_seconds() == 1.2
    assert record.attributes["unanswered_turns"] == 1


def test_it_keeps_what_no_path_takes() -> None:
    assert apply(LOG, DRAWN).attributes["shop"] == "north"


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("a.b[1].c", 2),
        ("a.b[*].c", [1, 2]),
        ('["x.y"]', 5),
        ("a.b[9].c", None),
        ("a.nothing.c", None),
        ("a.b.c", None),
    ],
)
def test_it_finds_values_by_their_path(path: str, value: Any) -> None:
    assert value_at({"a": {"b": [{"c": 1}, {"c": 2}]}, "x.y": 5}, path) == value


@pytest.mark.parametrize("path", ["a[", "a[x]", 'a["b]', "a]b"])
def test_it_says_where_a_path_is_none(path: str) -> None:
    with pytest.raises(PathError, match="is no path: see character"):
        value_at({}, path)


def test_it_reads_prompt_system_output_and_tools() -> None:
    row = {
        "s": "Be brief.", "q": "2+2?", "a": {"sum": 4}, "t": [{"name": "add", "parameters": {}}], "e": None,
    }  # fmt: skip
    record = apply(row, Mapping(system="s", prompt="q", output="a", tools="t", error="e"))
    assert [message["content"] for message in record.messages] == ["Be brief.", "2+2?"]
    assert record.output == {"role": "assistant", "content": '{"sum":4}'}
    assert record.tools == [{"type": "function", "function": {"name": "add", "parameters": {}}}]


def test_it_takes_a_failed_call_without_an_answer() -> None:
    record = apply({"q": "Hi", "a": None, "e": "timeout"}, Mapping(prompt="q", output="a", error="e"))
    assert (record.output, record.error) == (None, "timeout")


@pytest.mark.parametrize(
    "row", [[], "text", {}, {"chat": 5}, {"chat": [1]}, {"chat": [{"said": 1}]}, {"chat": []}, {"q": "Hi"}]
)
def test_it_refuses_a_row_without_an_answer(row: Any) -> None:
    with pytest.raises(MalformedError):
        apply(row, DRAWN)


@pytest.mark.parametrize("mapping", [Mapping(), Mapping(prompt="q"), Mapping(prompt="q[", output="a")])
def test_it_says_what_a_mapping_lacks(mapping: Mapping) -> None:
    with pytest.raises(PathError):
        check(mapping)


def test_it_gives_rows_of_one_emitter_one_fingerprint_whatever_their_values() -> None:
    other = {**LOG, "shop": 3, "chat": LOG["chat"][:1]}
    assert fingerprint(LOG) == fingerprint(other)
    assert len(fingerprint(LOG)) == 32
    assert fingerprint(LOG) != fingerprint({**LOG, "more": 1})


def test_it_lists_paths_with_examples_that_lead_back_to_the_values() -> None:
    found = dict(paths_of([LOG, {"late": "x" * 500}]))
    assert found['call["odd.key"]'] == "gpt-x"
    assert found["chat[*].speaker"] == "caller"
    assert len(found["late"]) == 80
    assert all(value_at(LOG, path) is not None for path in found if path != "late")


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (
            {"userInput": "Hi", "reply": "Hello", "meta": {"model_name": "m", "chatId": "c"}},
            Mapping(prompt="userInput", output="reply", model="meta.model_name", session="meta.chatId"),
        ),
        (
            {"log": {"turns": [{"from": "human", "text": "A"}, {"from": "ai", "text": "B"}]}, "latency": 3},
            Mapping(messages="log.turns", role_key="from", content_key="text", latency_ms="latency"),
        ),
    ],
)  # fmt: skip
def test_it_guesses_a_mapping_that_reads_the_row(row: Any, expected: Mapping) -> None:
    assert suggest(row) == expected
    assert isinstance(apply(row, expected), Record)


def test_it_guesses_nothing_from_nothing() -> None:
    assert suggest([]) == suggest({}) == Mapping()
