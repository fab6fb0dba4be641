from __future__ import annotations

from typing import Any

import pytest

from slmhub.formats.providers import openai_completions
from tests.formats.providers.examples import COMPLETIONS_ANSWERED, COMPLETIONS_ASKED, folded_by


def test_it_reads_a_prompt_and_its_continuation() -> None:
    asked = openai_completions.asked(COMPLETIONS_ASKED, set())
    answered = openai_completions.answered(COMPLETIONS_ANSWERED, set())
    assert asked.messages == [{"role": "user", "content": "Say"}]
    assert answered.output == {"role": "assistant", "content": "Hi"}
    assert (answered.finish_reason, answered.usage.input, answered.usage.output) == ("length", 3, 5)


@pytest.mark.parametrize(("prompt", "texts"), [(["a", "b"], ["a", "b"]), ([1, 2], ["[1,2]"]), (None, [])])
def test_a_prompt_may_be_several_or_numbers(prompt: Any, texts: list[str]) -> None:
    messages = openai_completions.asked({"prompt": prompt}, set()).messages
    assert [message["content"] for message in messages] == texts


def test_it_folds_a_stream() -> None:
    folded = folded_by(
        openai_completions,
        b'data: {"choices":[{"text":"H","index":0}]}\n\n'
        b'data: {"choices":[{"text":"i","index":0,"finish_reason":"stop"}],"usage":{"prompt_tokens":3}}\n\n'
        b"data: [DONE]\n\n",
    )
    answered = openai_completions.answered(folded, set())
    assert answered.output == {"role": "assistant", "content": "Hi"}
    assert (answered.finish_reason, answered.usage.input) == ("stop", 3)
