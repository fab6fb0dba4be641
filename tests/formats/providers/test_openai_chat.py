from __future__ import annotations

from slmhub.formats.parts import reasoning_part, text_part
from slmhub.formats.providers import openai_chat
from tests.formats.providers.examples import CHAT_ANSWERED, CHAT_ASKED, Json, folded_by


def answered_with(**message: object) -> Json:
    return {**CHAT_ANSWERED, "choices": [{"message": message, "finish_reason": "stop"}]}


def test_it_reads_a_request() -> None:
    asked = openai_chat.asked(CHAT_ASKED, set())
    assert [message["role"] for message in asked.messages] == ["system", "user", "assistant", "tool"]
    assert asked.parameters == {"temperature": 0.5, "stream": True, "user": "u-1"}
    assert (asked.model, asked.user, asked.streamed, asked.metadata) == ("gpt-4o", "u-1", True, {"k": "v"})


def test_cached_tokens_are_part_of_the_input_and_reasoning_of_the_output() -> None:
    usage = openai_chat.answered(CHAT_ANSWERED, set()).usage
    assert (usage.input, usage.cached_input, usage.cache_write) == (100, 64, 5)
    assert (usage.output, usage.reasoning) == (20, 12)


def test_reasoning_counted_beside_the_output_is_added_when_the_total_says_so() -> None:
    counted = {**CHAT_ANSWERED["usage"], "total_tokens": 132}
    usage = openai_chat.answered({**CHAT_ANSWERED, "usage": counted}, set()).usage
    assert (usage.output, usage.reasoning) == (32, 12)


def test_counts_may_be_strings() -> None:
    usage = openai_chat.answered({**CHAT_ANSWERED, "usage": {"prompt_tokens": "22118"}}, set()).usage
    assert usage.input == 22118


def test_reasoning_beside_the_content_becomes_its_first_part() -> None:
    output = openai_chat.answered(answered_with(content="Rain.", reasoning_content="Hm."), set()).output
    assert output == {"role": "assistant", "content": [reasoning_part("Hm."), text_part("Rain.")]}


def test_the_deprecated_finish_reason_is_said_in_todays_word() -> None:
    body = {**CHAT_ANSWERED, "choices": [{"message": {"content": "a"}, "finish_reason": "function_call"}]}
    answered = openai_chat.answered(body, set())
    assert (answered.finish_reason, answered.finish_reason_given) == ("tool_calls", "function_call")


def test_groqs_usage_and_an_error_in_the_stream_are_kept() -> None:
    folded = folded_by(
        openai_chat,
        b'data: {"choices":[{"delta":{"content":"a"}}],"x_groq":{"usage":{"prompt_tokens":3}}}\n\n'
        b'data: {"error":{"message":"overloaded"}}\n\n',
    )
    answered = openai_chat.answered(folded, set())
    assert (answered.usage.input, answered.error) == (3, "overloaded")
