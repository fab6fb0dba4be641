"""The three systems of an evaluation and how each is asked."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from django.conf import settings

from apps.datasets.models import Example
from apps.evaluation.questions import Question, Respondent
from apps.registry import weights
from apps.registry.models import Teacher
from apps.registry.selectors import teacher_key
from apps.training.models import Specialist
from slmhub.chat_client import Endpoint
from slmhub.ml.prompt_formats import COMPACT
from slmhub.ml.serving.catalogue import ModelKind, ServedManifest, publish

# What of a recorded call's parameters shapes its answer; the teacher is asked as the agent asked it.
REPLAYED = (
    "temperature",
    "top_p",
    "response_format",
    "tool_choice",
    "max_tokens",
    "max_completion_tokens",
    "seed",
)
SPARE_TOKENS = 64


def specialist_respondent(specialist: Specialist, longest: int) -> Respondent:
    return Respondent(_server(), specialist.served_name, parameters=_greedy(longest))


def base_respondent(specialist: Specialist, longest: int) -> Respondent:
    """Makes the server offer the base itself, in the specialist's format, with nothing left out."""
    base, prompt_format = specialist.base, specialist.run.dataset.prompt_format
    name = f"base-{base.slug}" if prompt_format == COMPACT else f"base-{base.slug}-{prompt_format}"
    manifest = ServedManifest(
        kind=ModelKind.BASE, path=str(weights.locate(base)), prompt_format=prompt_format
    )
    publish(Path(settings.MODELS_DIR), name, manifest)
    return Respondent(_server(), name, parameters=_greedy(longest))


def teacher_respondent(teacher: Teacher) -> Respondent:
    return Respondent(Endpoint(teacher.base_url.rstrip("/"), teacher_key(teacher)), teacher.model)


def _server() -> Endpoint:
    return Endpoint(f"{settings.SPECIALIST_SERVER_URL}/v1")


def _greedy(longest: int) -> Mapping[str, Any]:
    # No token is shorter than a byte, so a right answer always fits.
    return {"temperature": 0, "max_tokens": longest + SPARE_TOKENS}


def longest_answer(examples: list[Example]) -> int:
    """Bytes of the longest expected completion."""
    return max((len(example.completion.encode()) for example in examples), default=0)


def question(example: Example) -> Question:
    return Question(id=example.pk, messages=example.messages, tools=example.tools or [])


def recorded_question(example: Example) -> Question:
    """As the agent asked it: the same model and parameters."""
    if example.span is None:
        return question(example)
    given = example.span.parameters
    parameters = {name: given[name] for name in REPLAYED if given.get(name) is not None}
    return Question(
        id=example.pk,
        messages=example.messages,
        tools=example.tools or [],
        model=example.span.model,
        parameters=parameters,
    )
