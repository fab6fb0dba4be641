from __future__ import annotations

from typing import Any

import orjson
import pytest

from slmhub.formats import MalformedError
from slmhub.formats.parts import reasoning_part, text_part
from slmhub.formats.providers import openai_responses
from tests.formats.providers.examples import RESPONSES_ANSWERED, RESPONSES_ASKED, SCHEMA, Json, folded_by


def sse(*events: Json) -> bytes:
    lines = [f"event: {event['type']}\ndata: ".encode() + orjson.dumps(event) + b"\n\n" for event in events]
    return b"".join(lines)


def test_it_reads_items_as_messages() -> None:
    asked = openai_responses.asked(RESPONSES_ASKED, set())
    system, user, assistant, result = asked.messages
    assert system == {"role": "system", "content": "Be brief."}
    assert user == {"role": "user", "content": "Weather?"}
    assert assistant["content"] == [reasoning_part("Ask f.")]
    assert assistant["tool_calls"][0]["function"] == {"name": "f", "arguments": '{"city":"Paris"}'}
    assert result == {"role": "tool", "tool_call_id": "c1", "content": "Rain"}
    assert asked.parameters == {"max_output_tokens": 50}


def test_flat_tools_become_functions_and_the_providers_own_stay() -> None:
    own, web = openai_responses.asked(RESPONSES_ASKED, set()).tools
    assert own["function"] == {"name": "f", "description": "d", "parameters": SCHEMA, "strict": True}
    assert web == {"type": "web_search_preview"}


def test_thought_word_and_call_of_one_answer_are_one_message() -> None:
    answered = openai_responses.answered(RESPONSES_ANSWERED, set())
    assert answered.output is not None
    assert answered.output["content"] == [reasoning_part("Rain it is."), text_part("Rain.")]
    assert [call["id"] for call in answered.output["tool_calls"]] == ["c2"]
    assert answered.finish_reason == "tool_calls"


def test_cached_tokens_are_part_of_the_input_and_reasoning_of_the_output() -> None:
    usage = openai_responses.answered(RESPONSES_ANSWERED, set()).usage
    assert (usage.input, usage.cached_input, usage.output, usage.reasoning) == (100, 64, 20, 12)


def test_the_next_request_repeats_the_answer_as_the_same_message() -> None:
    output = openai_responses.answered(RESPONSES_ANSWERED, set()).output
    again = openai_responses.asked({"input": RESPONSES_ANSWERED["output"]}, set())
    assert again.messages == [output]


@pytest.mark.parametrize(
    ("body", "finish", "error"),
    [
        ({"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}, "length", None),
        (
            {"status": "incomplete", "incomplete_details": {"reason": "content_filter"}},
            "content_filter",
            None,
        ),
        ({"status": "failed", "error": {"code": "server_error", "message": "broke"}}, "error", "broke"),
        ({"status": "in_progress"}, None, None),
    ],
)
def test_it_says_how_an_answer_ended(body: Json, finish: str | None, error: str | None) -> None:
    answered = openai_responses.answered({**body, "object": "response", "output": []}, set())
    assert (answered.finish_reason, answered.error) == (finish, error)


@pytest.mark.parametrize("output", ["Rain", [{"type": "input_text", "text": "Rain"}]])
def test_a_tools_output_may_be_text_or_parts(output: Any) -> None:
    item = {"type": "function_call_output", "call_id": "c1", "output": output}
    assert openai_responses.asked({"input": [item]}, set()).messages[0]["content"] == "Rain"


def test_items_of_another_kind_are_kept_as_parts() -> None:
    search = {"type": "web_search_call", "id": "ws_1", "status": "completed"}
    output = openai_responses.answered({"output": [search]}, set()).output
    assert output == {"role": "assistant", "content": [search]}


def test_a_whole_stream_folds_into_its_last_response() -> None:
    stream = sse(
        {"type": "response.created", "response": {"id": "resp_1", "output": []}},
        {"type": "response.completed", "response": RESPONSES_ANSWERED},
    )
    assert folded_by(openai_responses, stream) == RESPONSES_ANSWERED


def test_a_stream_that_breaks_off_keeps_what_had_come() -> None:
    call = {"type": "function_call", "call_id": "c1", "name": "f", "arguments": ""}
    word = {"type": "message", "role": "assistant", "content": []}
    folded = folded_by(
        openai_responses,
        sse(
            {"type": "response.created", "response": {"id": "resp_1", "model": "m", "output": []}},
            {"type": "response.output_item.added", "output_index": 0, "item": word},
            {"type": "response.output_text.delta", "output_index": 0, "content_index": 0, "delta": "Ra"},
            {"type": "response.output_text.delta", "output_index": 0, "content_index": 0, "delta": "in"},
            {"type": "response.output_item.added", "output_index": 1, "item": call},
            {"type": "response.function_call_arguments.delta", "output_index": 1, "delta": '{"a"'},
            {"type": "response.function_call_arguments.delta", "output_index": 1, "delta": ":1}"},
        ),
    )
    output = openai_responses.answered(folded, set()).output
    assert output is not None
    assert output["content"] == "Rain"
    assert output["tool_calls"][0]["function"]["arguments"] == '{"a":1}'


def test_it_refuses_input_that_is_neither_text_nor_items() -> None:
    with pytest.raises(MalformedError, match="input"):
        openai_responses.asked({"input": 5}, set())
