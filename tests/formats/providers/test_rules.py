"""Two rules learnt from other people's bugs: which count is part of which, and values of several types."""

from __future__ import annotations

from typing import Any

import pytest

from slmhub.formats.providers import (
    Provider,
    anthropic,
    bedrock_converse,
    gemini,
    ollama,
    openai_chat,
    openai_responses,
)
from slmhub.formats.records import Usage
from tests.formats.providers.examples import (
    ANTHROPIC_ANSWERED,
    CHAT_ANSWERED,
    CONVERSE_ANSWERED,
    EXAMPLES,
    GEMINI_ANSWERED,
    NAMES,
    RESPONSES_ANSWERED,
    Json,
)

# Each of these answers cost 100 tokens of input, 64 of them cached, and 20 of output.
SAME_COST: list[tuple[Provider, Json]] = [
    (openai_chat, CHAT_ANSWERED),
    (openai_responses, RESPONSES_ANSWERED),
    (anthropic, ANTHROPIC_ANSWERED),
    (gemini, GEMINI_ANSWERED),
    (bedrock_converse, CONVERSE_ANSWERED),
]


@pytest.mark.parametrize(("provider", "answer"), SAME_COST)
def test_cached_is_part_of_input_and_reasoning_of_output_whoever_counts(
    provider: Provider, answer: Json
) -> None:
    usage = provider.answered(answer, set()).usage
    assert (usage.input, usage.cached_input, usage.output) == (100, 64, 20)
    assert usage.reasoning in (12, None)


def with_text_counts(value: Any) -> Any:
    """The same JSON with every whole number as a string."""
    if isinstance(value, dict):
        return {key: with_text_counts(item) for key, item in value.items()}
    if isinstance(value, list):
        return [with_text_counts(item) for item in value]
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


@pytest.mark.parametrize(("provider", "question", "answer"), EXAMPLES, ids=NAMES)
def test_counts_written_as_strings_are_the_same_counts(
    provider: Provider, question: Json, answer: Json
) -> None:
    usage = provider.answered(answer, set()).usage
    assert usage != Usage()
    assert provider.answered(with_text_counts(answer), set()).usage == usage


def calling(provider: Provider, arguments: Any) -> Json:
    """An answer that calls `f` with these arguments."""
    if provider is anthropic:
        return {
            "type": "message",
            "content": [{"type": "tool_use", "id": "c", "name": "f", "input": arguments}],
        }
    if provider is gemini:
        return {"candidates": [{"content": {"parts": [{"functionCall": {"name": "f", "args": arguments}}]}}]}
    if provider is bedrock_converse:
        use = {"toolUseId": "c", "name": "f", "input": arguments}
        return {"output": {"message": {"content": [{"toolUse": use}]}}}
    if provider is openai_responses:
        return {"output": [{"type": "function_call", "call_id": "c", "name": "f", "arguments": arguments}]}
    message = {"content": "", "tool_calls": [{"id": "c", "function": {"name": "f", "arguments": arguments}}]}
    return {"choices": [{"message": message}], "message": message, "done": True}


@pytest.mark.parametrize(
    "provider", [openai_chat, openai_responses, anthropic, gemini, bedrock_converse, ollama]
)
@pytest.mark.parametrize(
    ("given", "read"), [({"a": [1]}, '{"a":[1]}'), ('{"a": [1]}', '{"a": [1]}'), (None, "{}"), ("", "{}")]
)
def test_arguments_may_be_an_object_text_or_missing(provider: Provider, given: Any, read: str) -> None:
    output = provider.answered(calling(provider, given), set()).output
    assert output is not None
    assert output["tool_calls"][0]["function"] == {"name": "f", "arguments": read}


@pytest.mark.parametrize("provider", [openai_chat, anthropic, ollama])
@pytest.mark.parametrize(("given", "read"), [("q", "q"), (None, (None, ""))])
def test_content_may_be_text_or_null(provider: Provider, given: Any, read: Any) -> None:
    asked = provider.asked({"messages": [{"role": "user", "content": given}]}, set())
    assert asked.messages[0]["content"] in (read if isinstance(read, tuple) else (read,))


@pytest.mark.parametrize("provider", [anthropic, bedrock_converse])
def test_content_may_be_text_or_a_list_of_blocks(provider: Provider) -> None:
    block = {"type": "text", "text": "q"} if provider is anthropic else {"text": "q"}
    for content in ("q", [block]):
        asked = provider.asked({"messages": [{"role": "user", "content": content}]}, set())
        assert asked.messages == [{"role": "user", "content": "q"}]
