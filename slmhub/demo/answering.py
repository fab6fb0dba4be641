"""How the simulated teacher finds its answer: the step by its system prompt, the values by the grammar."""

from __future__ import annotations

from slmhub.demo.messages import Answer, Message, digest, last_text
from slmhub.demo.mistakes import erring
from slmhub.demo.steps import STEPS, Step

_UNKNOWN = "I am a simulated teacher for the demo's support desk and do not know this task."
_UNREADABLE = "I am sorry, I could not read this request. Could you word it differently?"


def answer(messages: list[Message], error_rate: float = 0.0) -> Answer:
    """Always the same answer for the same messages; wrong for a share `error_rate` of all prompts."""
    step = step_of(messages)
    if step is None:
        return Answer(text=_UNKNOWN)
    slots = step.read(messages)
    if slots is None:
        return Answer(text=_UNREADABLE)
    return erring(step, step.answer(slots), digest(messages), error_rate)


def step_of(messages: list[Message]) -> Step | None:
    """The step whose standing prompt the messages carry, however its white space came through."""
    prompt = last_text(messages, "system") or last_text(messages, "developer")
    return _BY_PROMPT.get(_squeezed(prompt))


def _squeezed(text: str) -> str:
    return " ".join(text.split())


_BY_PROMPT = {_squeezed(step.system): step for step in STEPS}
