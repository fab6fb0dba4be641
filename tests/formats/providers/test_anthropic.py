from __future__ import annotations

import orjson
import pytest

from slmhub.formats.parts import image_part, reasoning_part, text_part
from slmhub.formats.providers import anthropic
from slmhub.formats.records import Issue
from tests.formats.providers.examples import ANTHROPIC_ANSWERED, ANTHROPIC_ASKED, SCHEMA, Json, folded_by


def sse(*events: Json) -> bytes:
    lines = [f"event: {event['type']}\ndata: ".encode() + orjson.dumps(event) + b"\n\n" for event in events]
    return b"".join(lines)


def delta(index: int, **fields: str) -> Json:
    return {"type": "content_block_delta", "index": index, "delta": fields}


def test_tool_results_in_user_messages_become_messages_of_the_tool() -> None:
    asked = anthropic.asked(ANTHROPIC_ASKED, set())
    roles = [message["role"] for message in asked.messages]
    assert roles == ["system", "user", "assistant", "tool", "user"]
    assert asked.messages[3] == {"role": "tool", "tool_call_id": "c1", "content": "Rain"}
    assert asked.messages[4] == {"role": "user", "content": "And Rome?"}


def test_blocks_become_parts() -> None:
    _, user, assistant, *_ = anthropic.asked(ANTHROPIC_ASKED, set()).messages
    text, image, document = user["content"]
    assert (text, image) == (text_part("Weather?"), image_part("data:image/png;base64,aGk="))
    assert document == {"type": "file", "file": {"filename": "t", "text": "words"}}
    assert assistant["content"] == [{**reasoning_part("Ask f."), "signature": "sig"}]
    assert assistant["tool_calls"][0]["function"]["arguments"] == '{"city":"Paris"}'


def test_a_mark_of_the_cache_does_not_make_another_message() -> None:
    system = anthropic.asked(ANTHROPIC_ASKED, set()).messages[0]
    assert system == {"role": "system", "content": "Be brief."}


def test_tools_of_ones_own_become_functions_and_the_providers_stay() -> None:
    own, web = anthropic.asked(ANTHROPIC_ASKED, set()).tools
    assert own == {"type": "function", "function": {"name": "f", "description": "d", "parameters": SCHEMA}}
    assert web == {"type": "web_search_20250305"}


def test_the_input_is_the_sum_of_fresh_read_and_written_tokens() -> None:
    usage = anthropic.answered(ANTHROPIC_ANSWERED, set()).usage
    assert (usage.input, usage.cached_input, usage.cache_write) == (100, 64, 26)
    assert (usage.output, usage.reasoning) == (20, 12)


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("end_turn", "stop"),
        ("max_tokens", "length"),
        ("tool_use", "tool_calls"),
        ("refusal", "content_filter"),
    ],
)
def test_it_says_in_openais_words_how_the_answer_ended(given: str, meant: str) -> None:
    answered = anthropic.answered({**ANTHROPIC_ANSWERED, "stop_reason": given}, set())
    assert (answered.finish_reason, answered.finish_reason_given) == (meant, given)


def test_it_folds_a_stream_into_the_message_that_was_not_streamed() -> None:
    text, call = ANTHROPIC_ANSWERED["content"]
    begun = {key: value for key, value in ANTHROPIC_ANSWERED.items() if key != "stop_reason"}
    counted = {**ANTHROPIC_ANSWERED["usage"], "output_tokens": 1}
    folded = folded_by(
        anthropic,
        sse(
            {
                "type": "message_start",
                "message": {**begun, "content": [], "usage": counted},
            },
            {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
            {"type": "ping"},
            {
                "type": "content_block_delta",
                "index": 0,
                "delta": {"type": "text_delta", "text": text["text"][:3]},
            },
            {
                "type": "content_block_delta",
                "index": 0,
                "delta": {"type": "text_delta", "text": text["text"][3:]},
            },
            {"type": "content_block_stop", "index": 0},
            {"type": "content_block_start", "index": 1, "content_block": {**call, "input": {}}},
            delta(1, type="input_json_delta", partial_json='{"city": '),
            delta(1, type="input_json_delta", partial_json='"Rome"}'),
            {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 20}},
            {"type": "message_stop"},
        ),
    )
    assert anthropic.answered(folded, set()) == anthropic.answered(ANTHROPIC_ANSWERED, set())


def test_arguments_that_were_cut_stay_text_and_are_noted() -> None:
    block = {"type": "tool_use", "id": "c", "name": "f", "input": {}}
    cut = {
        "type": "content_block_delta",
        "index": 0,
        "delta": {"type": "input_json_delta", "partial_json": '{"a'},
    }
    folded = folded_by(
        anthropic, sse({"type": "content_block_start", "index": 0, "content_block": block}, cut)
    )
    issues: set[Issue] = set()
    output = anthropic.answered(folded, issues).output
    assert output is not None
    assert output["tool_calls"][0]["function"]["arguments"] == '{"a'
    assert issues == {Issue.ARGUMENTS_NOT_JSON}


def test_an_error_is_read_from_a_body_and_from_a_stream() -> None:
    body = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    assert anthropic.answered(body, set()).error == "Overloaded"
    assert anthropic.answered(folded_by(anthropic, sse(body)), set()).error == "Overloaded"


def test_a_failed_tool_is_marked() -> None:
    block = {"type": "tool_result", "tool_use_id": "c1", "content": "no such city", "is_error": True}
    asked = anthropic.asked({"messages": [{"role": "user", "content": [block]}]}, set())
    assert asked.messages == [
        {"role": "tool", "tool_call_id": "c1", "content": "no such city", "is_error": True}
    ]
