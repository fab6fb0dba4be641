from __future__ import annotations

import pytest

from slmhub.formats.parts import image_part, reasoning_part, text_part
from slmhub.formats.providers import anthropic, bedrock_converse, bedrock_invoke
from slmhub.formats.records import Issue
from tests.formats.providers.examples import (
    ANTHROPIC_ANSWERED,
    ANTHROPIC_ASKED,
    CONVERSE_ANSWERED,
    CONVERSE_ASKED,
    INVOKE_ANSWERED,
    INVOKE_ASKED,
    SCHEMA,
    Json,
)


def test_converse_blocks_become_messages() -> None:
    asked = bedrock_converse.asked(CONVERSE_ASKED, set())
    system, user, assistant, result = asked.messages
    assert system == {"role": "system", "content": "Be brief."}
    assert user["content"] == [text_part("Weather?"), image_part("data:image/png;base64,aGk=")]
    assert assistant["content"] == [{**reasoning_part("Ask f."), "signature": "sig"}]
    assert assistant["tool_calls"][0]["function"] == {"name": "f", "arguments": '{"city":"Paris"}'}
    assert result == {"role": "tool", "tool_call_id": "c1", "content": '{"sky":"Rain"}'}
    assert asked.parameters == {"maxTokens": 100, "toolChoice": {"auto": {}}}
    assert asked.tools[0]["function"] == {"name": "f", "description": "d", "parameters": SCHEMA}


def test_converse_counts_the_cache_beside_the_input() -> None:
    answered = bedrock_converse.answered(CONVERSE_ANSWERED, set())
    usage = answered.usage
    assert (usage.input, usage.cached_input, usage.cache_write, usage.output) == (100, 64, 26, 20)
    assert (answered.finish_reason, answered.latency_ms) == ("tool_calls", 683)


def test_converse_counts_the_cache_within_the_input_when_the_total_says_so() -> None:
    usage = bedrock_converse.usage_of(
        {"inputTokens": 100, "outputTokens": 20, "cacheReadInputTokens": 64, "totalTokens": 120}
    )
    assert (usage.input, usage.cached_input) == (100, 64)


def test_converse_streams_fold_into_the_answer_that_was_not_streamed() -> None:
    begun = {"toolUse": {"toolUseId": "c2", "name": "f"}}
    events: list[Json] = [
        {"messageStart": {"role": "assistant"}},
        {"contentBlockDelta": {"contentBlockIndex": 0, "delta": {"text": "I "}}},
        {"contentBlockDelta": {"contentBlockIndex": 0, "delta": {"text": "ask."}}},
        {
            "contentBlockStart": {
                "contentBlockIndex": 1,
                "start": begun,
            }
        },
        {"contentBlockDelta": {"contentBlockIndex": 1, "delta": {"toolUse": {"input": '{"city":'}}}},
        {"contentBlockDelta": {"contentBlockIndex": 1, "delta": {"toolUse": {"input": '"Rome"}'}}}},
        {"messageStop": {"stopReason": "tool_use"}},
        {"metadata": {"usage": CONVERSE_ANSWERED["usage"], "metrics": CONVERSE_ANSWERED["metrics"]}},
    ]
    folded = bedrock_converse.fold_events(events)
    assert bedrock_converse.answered(folded, set()) == bedrock_converse.answered(CONVERSE_ANSWERED, set())


def test_invoke_reads_titan() -> None:
    asked = bedrock_invoke.asked(INVOKE_ASKED, set())
    answered = bedrock_invoke.answered(INVOKE_ANSWERED, set())
    assert asked.messages == [{"role": "user", "content": "Say"}]
    assert asked.parameters == {"maxTokenCount": 10, "temperature": 0.8}
    assert answered.output == {"role": "assistant", "content": "Hello!"}
    assert (answered.usage.input, answered.usage.output, answered.finish_reason) == (5, 10, "length")


@pytest.mark.parametrize(
    ("body", "text", "finish"),
    [
        ({"generation": "x", "stop_reason": "length", "prompt_token_count": 5}, "x", "length"),
        ({"outputs": [{"text": "x", "stop_reason": "stop"}]}, "x", "stop"),
        ({"generations": [{"text": "x", "finish_reason": "MAX_TOKENS"}], "prompt": "p"}, "x", "length"),
        ({"text": "x", "generation_id": "g", "finish_reason": "COMPLETE"}, "x", "stop"),
        (
            {"completions": [{"data": {"text": "x"}, "finishReason": {"reason": "endoftext"}}]},
            "x",
            "endoftext",
        ),
        ({"choices": [{"message": {"content": "x"}, "stop_reason": "stop"}]}, "x", "stop"),
    ],
)
def test_invoke_reads_each_familys_answer(body: Json, text: str, finish: str) -> None:
    answered = bedrock_invoke.answered(body, set())
    assert answered.output is not None
    assert (answered.output["content"], answered.finish_reason) == (text, finish)


def test_invoke_reads_claude_as_anthropic_does() -> None:
    issues: set[Issue] = set()
    asked = bedrock_invoke.asked({**ANTHROPIC_ASKED, "anthropic_version": "bedrock-2023-05-31"}, issues)
    assert asked.messages == anthropic.asked(ANTHROPIC_ASKED, issues).messages
    assert bedrock_invoke.answered(ANTHROPIC_ANSWERED, issues) == anthropic.answered(
        ANTHROPIC_ANSWERED, issues
    )


def test_invoke_reads_nova_as_converse_does() -> None:
    asked = bedrock_invoke.asked({**CONVERSE_ASKED, "schemaVersion": "messages-v1"}, set())
    assert asked.messages == bedrock_converse.asked(CONVERSE_ASKED, set()).messages


def test_invoke_reads_coheres_history() -> None:
    body = {
        "message": "q2",
        "chat_history": [{"role": "USER", "message": "q"}, {"role": "CHATBOT", "message": "a"}],
    }
    messages = bedrock_invoke.asked({**body, "preamble": "Be brief."}, set()).messages
    assert [(message["role"], message["content"]) for message in messages] == [
        ("system", "Be brief."),
        ("user", "q"),
        ("assistant", "a"),
        ("user", "q2"),
    ]
