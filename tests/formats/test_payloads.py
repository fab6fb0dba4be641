"""Values found in other emitters' fields: bodies, messages, prompts, texts."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from slmhub.formats.payloads import answered_from, asked_from, json_or_text
from slmhub.formats.providers import Provider
from tests.formats.providers.examples import EXAMPLES, NAMES, Json

USER: Json = {"role": "user", "content": "q"}
HUMAN: Json = {"type": "human", "content": "q"}
CONSTRUCTED: Json = {
    "lc": 1,
    "type": "constructor",
    "id": ["langchain", "schema", "messages", "HumanMessage"],
    "kwargs": {"content": "q"},
}
PARTS: Json = {"role": "user", "parts": [{"type": "text", "content": "q"}]}
SAID: Json = {"role": "assistant", "content": "a"}


@pytest.mark.parametrize(("provider", "question", "answer"), EXAMPLES, ids=NAMES)
def test_it_reads_providers_bodies_also_as_text(provider: Provider, question: Json, answer: Json) -> None:
    for given_question, given_answer in ((question, answer), (text(question), text(answer))):
        assert asked_from(given_question, set()) == provider.asked(question, set())
        assert answered_from(given_answer, set()) == provider.answered(answer, set())


def text(value: Any) -> str:
    return orjson.dumps(value).decode()


@pytest.mark.parametrize(
    "given",
    [
        "q",
        [USER],
        {"messages": [USER]},
        {"messages": [[CONSTRUCTED]]},
        [HUMAN],
        [CONSTRUCTED],
        [PARTS],
        {"input": "q"},
        USER,
        '[{"role":"user","content":"q"}]',
    ],
)
def test_a_question_in_any_dress_is_the_same_message(given: Any) -> None:
    assert asked_from(given, set()).messages == [USER]


@pytest.mark.parametrize(
    "given",
    [
        "a",
        SAID,
        [USER, SAID],
        {"messages": [USER, SAID]},
        {"output": "a"},
        {"generations": [[{"text": "a"}]]},
        {"generations": [[{"text": "a", "message": {"type": "ai", "content": "a"}}]]},
        [{"role": "assistant", "parts": [{"type": "text", "content": "a"}], "finish_reason": "stop"}],
        'data: {"choices":[{"delta":{"role":"assistant","content":"a"}}]}\n\n',
    ],
)
def test_an_answer_in_any_dress_is_the_same_message(given: Any) -> None:
    assert answered_from(given, set()).output == SAID


def test_langchains_usage_and_finish_are_read() -> None:
    counted = {"input_tokens": 9, "output_tokens": 3, "input_token_details": {"cache_read": 4}}
    message = {
        "lc": 1,
        "type": "constructor",
        "id": ["langchain", "schema", "messages", "AIMessage"],
        "kwargs": {
            "content": "a",
            "usage_metadata": counted,
            "response_metadata": {"finish_reason": "stop", "model_name": "gpt-4o"},
        },
    }
    answered = answered_from({"generations": [[{"message": message}]]}, set())
    assert (answered.usage.input, answered.usage.cached_input, answered.usage.output) == (9, 4, 3)
    assert (answered.finish_reason, answered.model) == ("stop", "gpt-4o")


@pytest.mark.parametrize("value", [{"a": 1}, [1, 2], 5, True])
def test_what_nobody_knows_becomes_text(value: Any) -> None:
    assert asked_from(value, set()).messages == [{"role": "user", "content": text(value)}]
    assert answered_from(value, set()).output == {"role": "assistant", "content": text(value)}


def test_json_that_is_too_deep_stays_text_and_a_nul_leaves_it() -> None:
    deep = "[" * 900 + "]" * 900
    assert asked_from(deep, set()).messages == [{"role": "user", "content": deep}]
    assert asked_from('[{"role":"user","content":"a\\u0000b"}]', set()).messages[0]["content"] == "a\ufffdb"


@pytest.mark.parametrize("value", [None, "", [], {}])
def test_nothing_is_nothing(value: Any) -> None:
    assert asked_from(value, set()).messages == []
    assert answered_from(value, set()).output is None


def test_only_json_objects_and_lists_are_decoded() -> None:
    assert [json_or_text(value) for value in ('{"a":1}', "[1]", "5", "{no", None)] == [
        {"a": 1},
        [1],
        "5",
        "{no",
        None,
    ]
