from __future__ import annotations

import pytest

from slmhub.formats.providers import answer_of, ask_of
from slmhub.formats.providers.names import finish_of, provider_of
from slmhub.formats.providers.shapes import Provider
from tests.formats.providers.examples import EXAMPLES, NAMES, Json


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("openai", "openai"),
        ("OpenAI.chat", "openai"),
        ("az.ai.openai", "azure"),
        ("azure.ai.inference", "azure"),
        ("aws.bedrock", "aws_bedrock"),
        ("gcp.gemini", "google"),
        ("gcp.vertex_ai", "google"),
        ("google-vertex", "google"),
        ("mistral_ai", "mistral"),
        ("x_ai", "xai"),
        ("xai", "xai"),
        ("MyProxy", "myproxy"),
        ("", None),
        (None, None),
    ],
)
def test_it_knows_a_provider_by_any_of_its_names(given: str | None, meant: str | None) -> None:
    assert provider_of(given) == meant


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("STOP", "stop"),
        ("tool_call", "tool_calls"),
        ("tool-calls", "tool_calls"),
        ("own", "own"),
        (None, None),
    ],
)
def test_it_says_in_one_word_how_an_answer_ended(given: str | None, meant: str | None) -> None:
    assert finish_of(given) == meant


@pytest.mark.parametrize(("provider", "question", "answer"), EXAMPLES, ids=NAMES)
def test_each_request_and_answer_is_known_for_its_providers(
    provider: Provider, question: Json, answer: Json
) -> None:
    assert ask_of(question) is provider
    assert answer_of(answer) is provider


def test_what_is_nobodys_is_nobodys() -> None:
    assert (ask_of({"a": 1}), answer_of({"a": 1}), ask_of([]), answer_of(None)) == (None, None, None, None)
