from __future__ import annotations

from typing import Any

import orjson
import pytest

from slmhub.formats.parts import image_part, reasoning_part, text_part
from slmhub.formats.providers import gemini
from tests.formats.providers.examples import GEMINI_ANSWERED, GEMINI_ASKED, Json, folded_by


def test_it_reads_contents_as_messages() -> None:
    asked = gemini.asked(GEMINI_ASKED, set())
    assert [message["role"] for message in asked.messages] == ["system", "user", "assistant", "tool", "tool"]
    assert asked.messages[0]["content"] == "Be brief."
    assert asked.messages[1]["content"] == [text_part("Weather?"), image_part("data:image/png;base64,aGk=")]
    assert asked.parameters["temperature"] == 0.5


def test_results_without_ids_find_their_calls_by_name_and_order() -> None:
    _, _, calling, first, second = gemini.asked(GEMINI_ASKED, set()).messages
    ids = [call["id"] for call in calling["tool_calls"]]
    assert len(set(ids)) == 2
    assert [first["tool_call_id"], second["tool_call_id"]] == ids
    assert (first["content"], second["content"]) == ('{"result":"Rain"}', '{"result":"Sun"}')


def test_declared_functions_become_tools_with_usual_schemas() -> None:
    assert gemini.asked(GEMINI_ASKED, set()).tools == [
        {"type": "function", "function": {"name": "f", "description": "d", "parameters": {"type": "object"}}}
    ]


def test_tools_of_googles_own_stay() -> None:
    assert gemini.asked({"contents": "q", "tools": [{"codeExecution": {}}]}, set()).tools == [
        {"codeExecution": {}}
    ]


def test_thoughts_are_counted_beside_the_answer_and_added() -> None:
    usage = gemini.answered(GEMINI_ANSWERED, set()).usage
    assert (usage.input, usage.cached_input, usage.output, usage.reasoning) == (100, 64, 20, 12)


def test_thoughts_are_reasoning_parts() -> None:
    answered = gemini.answered(GEMINI_ANSWERED, set())
    assert answered.output is not None
    assert answered.output["content"] == [reasoning_part("Hm."), text_part("Rain.")]
    assert (answered.model, answered.response_id) == ("gemini-2.5-flash", "r-1")
    assert answered.attributes == {"avgLogprobs": -0.5}


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("STOP", "stop"),
        (1, "stop"),
        ("MAX_TOKENS", "length"),
        ("SAFETY", "content_filter"),
    ],
)
def test_it_says_in_openais_words_how_the_answer_ended(given: Any, meant: str) -> None:
    body = {"candidates": [{"content": {"parts": [{"text": "a"}]}, "finishReason": given}]}
    assert gemini.answered(body, set()).finish_reason == meant


def test_an_answer_that_calls_says_so() -> None:
    call = {"functionCall": {"name": "f", "args": {"a": 1}}}
    body = {"candidates": [{"content": {"parts": [call]}, "finishReason": "STOP"}]}
    answered = gemini.answered(body, set())
    assert (answered.finish_reason, answered.finish_reason_given) == ("tool_calls", "STOP")


def test_a_blocked_prompt_has_no_answer_and_says_why() -> None:
    answered = gemini.answered({"promptFeedback": {"blockReason": "SAFETY"}}, set())
    assert (answered.output, answered.finish_reason) == (None, "content_filter")


def chunk(*parts: Json, **more: Any) -> Json:
    return {"candidates": [{"content": {"role": "model", "parts": list(parts)}, **more}]}


@pytest.mark.parametrize("as_list", [True, False])
def test_it_folds_a_stream_of_events_or_a_list(as_list: bool) -> None:
    usage = GEMINI_ANSWERED["usageMetadata"]
    chunks = [
        chunk({"text": "H", "thought": True}),
        chunk({"text": "m.", "thought": True}, {"text": "Ra"}),
        {**chunk({"text": "in."}, finishReason="STOP", avgLogprobs=-0.5), "usageMetadata": usage},
    ]
    chunks[2] |= {key: GEMINI_ANSWERED[key] for key in ("modelVersion", "responseId", "createTime")}
    lines = b"".join(b"data: " + orjson.dumps(event) + b"\r\n\r\n" for event in chunks)
    folded = folded_by(gemini, orjson.dumps(chunks) if as_list else lines)
    assert gemini.answered(folded, set()) == gemini.answered(GEMINI_ANSWERED, set())


def test_it_reads_the_python_clients_spelling() -> None:
    inline = {"inline_data": {"mime_type": "image/png", "data": "aGk="}}
    body = {
        "model": "models/gemini-2.5-flash",
        "contents": [{"role": "user", "parts": [inline]}],
        "config": {"system_instruction": "Be brief.", "temperature": 0.1},
    }
    asked = gemini.asked(body, set())
    assert asked.model == "gemini-2.5-flash"
    assert asked.parameters == {"temperature": 0.1}
    assert asked.messages == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": [image_part("data:image/png;base64,aGk=")]},
    ]
