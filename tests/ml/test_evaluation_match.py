from __future__ import annotations

import json
from typing import Any

import pytest

from slmhub.ml.evaluation import ErrorKind, compare

CANCEL = {
    "type": "function",
    "function": {
        "name": "cancel",
        "parameters": {
            "type": "object",
            "properties": {
                "order": {"type": "string"},
                "amount": {"type": "number"},
                "note": {"type": "string", "default": "none"},
            },
            "required": ["order"],
        },
    },
}


def call(name: str, arguments: dict[str, Any] | str) -> dict[str, Any]:
    text = arguments if isinstance(arguments, str) else json.dumps(arguments)
    return calls((name, text))


def calls(*given: tuple[str, str]) -> dict[str, Any]:
    functions = [
        {"id": str(i), "type": "function", "function": {"name": n, "arguments": a}}
        for i, (n, a) in enumerate(given)
    ]
    return {"role": "assistant", "content": None, "tool_calls": functions}


def test_it_matches_the_same_call_whatever_the_order_of_keys_and_the_id() -> None:
    result = compare(
        call("cancel", {"order": "A", "amount": 1.5}),
        call("cancel", '{"amount": 1.5, "order": "A"}'),
        [CANCEL],
    )
    assert result.exact
    assert result.match
    assert result.valid
    assert result.fields == {"cancel.order": True, "cancel.amount": True}


@pytest.mark.parametrize("text", ["new york", "New-York", "NEW_YORK", "new, york."])
def test_it_compares_strings_without_case_and_punctuation(text: str) -> None:
    result = compare(call("go", {"to": "New York"}), call("go", {"to": text}))
    assert result.match
    assert not result.exact


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (call("refund", {"order": "A", "amount": 2}), ErrorKind.WRONG_FUNC_NAME),
        (call("cancel", {"amount": 2}), ErrorKind.MISSING_REQUIRED),
        (call("cancel", {"order": "A", "amount": 2, "why": "x"}), ErrorKind.UNEXPECTED_PARAM),
        (call("cancel", {"order": 7, "amount": 2}), ErrorKind.TYPE_ERROR),
        (call("cancel", {"order": "A", "amount": True}), ErrorKind.TYPE_ERROR),
        (call("cancel", {"order": "B", "amount": 2}), ErrorKind.VALUE_ERROR),
        (call("cancel", "{order: A}"), ErrorKind.NOT_JSON),
        ({"role": "assistant", "content": "I cancel it."}, ErrorKind.SHOULD_CALL),
        (None, ErrorKind.NO_ANSWER),
    ],
)
def test_it_names_what_is_wrong_with_a_call(answer: object, error: ErrorKind) -> None:
    result = compare(call("cancel", {"order": "A", "amount": 2}), answer, [CANCEL])
    assert not result.match
    assert result.errors == (error,)


def test_it_takes_an_integer_for_a_float_but_not_the_reverse() -> None:
    assert compare(call("f", {"x": 2.0}), call("f", {"x": 2})).match
    assert compare(call("f", {"x": 2}), call("f", {"x": 2.0})).errors == (ErrorKind.TYPE_ERROR,)


def test_it_forgives_an_optional_parameter_at_its_default() -> None:
    plain, noted = call("cancel", {"order": "A"}), call("cancel", {"order": "A", "note": "none"})
    assert compare(plain, noted, [CANCEL]).match
    assert compare(noted, plain, [CANCEL]).match
    assert not compare(plain, noted).match


def test_it_matches_parallel_calls_in_any_order_and_counts_them() -> None:
    one, two = ("f", '{"x": 1}'), ("f", '{"x": 2}')
    assert compare(calls(one, two), calls(two, one)).match
    assert compare(calls(one, two), calls(one)).errors == (ErrorKind.WRONG_COUNT,)
    assert compare(calls(one), calls(one, two)).errors == (ErrorKind.WRONG_COUNT,)


def test_it_notes_a_call_where_none_was_due() -> None:
    assert compare("Sorry, no.", call("cancel", {"order": "A"})).errors == (ErrorKind.SHOULD_NOT_CALL,)


def test_it_holds_a_call_of_an_unknown_tool_for_invalid() -> None:
    assert not compare(call("cancel", {"order": "A"}), call("explode", {}), [CANCEL]).valid
    assert not compare(call("cancel", {"order": "A"}), call("cancel", {}), [CANCEL]).valid


def test_it_compares_json_content_by_structure() -> None:
    want = '{"city": "Paris", "stops": [{"n": 1}]}'
    assert compare(want, '{ "stops":[{"n":1}], "city":"paris" }').match
    wrong = compare(want, '{"city": "Paris", "stops": [{"n": 2}]}')
    assert wrong.errors == (ErrorKind.VALUE_ERROR,)
    assert wrong.fields == {"city": True, "stops": False}
    assert compare(want, "Paris").errors == (ErrorKind.NOT_JSON,)
    assert compare(want, '{"city": "Paris"}').errors == (ErrorKind.MISSING_REQUIRED,)


def test_it_compares_other_text_by_its_words() -> None:
    assert compare("Billing", " billing\n").match
    assert not compare("Billing", " billing\n").exact
    assert compare("Billing", "Shipping").errors == (ErrorKind.VALUE_ERROR,)


def test_it_survives_a_depth_bomb() -> None:
    bomb = "[" * 100_000 + "]" * 100_000
    assert not compare('{"a": 1}', bomb).match
    assert compare("a", call("f", '{"a":' + "[" * 200 + "]" * 200 + "}")).errors == (
        ErrorKind.SHOULD_NOT_CALL,
    )


@pytest.mark.parametrize(
    "strange", [7, [], {"tool_calls": 5}, {"tool_calls": ["x"]}, {"content": [{"image": 1}]}]
)
def test_it_takes_any_value_for_an_answer(strange: object) -> None:
    assert not compare("yes", strange).match
