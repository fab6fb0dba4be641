"""Whatever JSON stands wherever in a body: a reading, or MalformedError, and nothing else."""

from __future__ import annotations

import copy
from contextlib import suppress
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from slmhub.formats import MalformedError, Record
from slmhub.formats.exchanges import pairs
from slmhub.formats.payloads import answered_from, asked_from
from slmhub.formats.providers import Answered, Asked, Provider, events_of, stream_of
from tests.formats.providers.examples import EXAMPLES, NAMES, Json

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**64 - 1),
    st.floats(allow_nan=False),
    st.text(max_size=8),
    st.just(""),
)
# fmt: off
KEYS = st.sampled_from((
    "type", "role", "content", "text", "parts", "id", "name", "input", "args", "arguments",
    "function", "functionCall", "toolUse", "index", "delta", "error", "message", "data", "source",
    "usage", "tool_calls", "call_id", "output", "summary", "status", "choices", "candidates",
    "body",
))
# fmt: on
JSON = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=3)),
    max_leaves=6,
)
FAST = settings(
    max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)


def places_in(value: Any) -> list[tuple[Any, Any]]:
    """Every container with every key of it."""
    keys: list[Any] = list(value) if isinstance(value, dict) else []
    if isinstance(value, list):
        keys = list(range(len(value)))
    return [(value, key) for key in keys] + [place for key in keys for place in places_in(value[key])]


@st.composite
def mutated(draw: st.DrawFn, body: Json) -> Json:
    """The body with other JSON in one to three of its places."""
    changed = copy.deepcopy(body)
    for _ in range(draw(st.integers(1, 3))):
        found = places_in(changed)
        if not found:
            break
        holder, key = draw(st.sampled_from(found))
        holder[key] = draw(JSON)
    return changed


@pytest.mark.parametrize(("provider", "question", "answer"), EXAMPLES, ids=NAMES)
def test_it_reads_or_refuses_any_request_and_answer(provider: Provider, question: Json, answer: Json) -> None:
    @FAST
    @given(mutated(question), mutated(answer))
    def check(asked_body: Json, answered_body: Json) -> None:
        with suppress(MalformedError):
            asked = provider.asked(asked_body, set())
            assert all(isinstance(message["role"], str) for message in asked.messages)
            orjson.dumps([asked.messages, asked.tools, asked.parameters])
        with suppress(MalformedError):
            answered = provider.answered(answered_body, set())
            assert answered.output is None or answered.output["role"] == "assistant"
            orjson.dumps([answered.output, answered.attributes])

    check()


@pytest.mark.parametrize(("provider", "question", "answer"), EXAMPLES, ids=NAMES)
def test_it_reads_or_refuses_any_row(provider: Provider, question: Json, answer: Json) -> None:
    row = {
        "request": {"method": "POST", "uri": "https://host/v1/x", "headers": {}, "body": question},
        "response": {"status": 200, "headers": {}, "body": answer},
    }

    @FAST
    @given(st.one_of(mutated(row), mutated({"request": question, "response": answer})))
    def check(changed: Json) -> None:
        if pairs.matches(changed):
            with suppress(MalformedError):
                assert all(isinstance(record, Record) for record in pairs.records(changed))

    check()


@pytest.mark.parametrize(("provider", "question", "answer"), EXAMPLES, ids=NAMES)
def test_payloads_read_anything(provider: Provider, question: Json, answer: Json) -> None:
    @FAST
    @given(st.one_of(mutated(question), mutated(answer), JSON))
    def check(value: Any) -> None:
        assert isinstance(asked_from(value, set()), Asked)
        assert isinstance(answered_from(value, set()), Answered)

    check()


STREAMS: list[Json] = [
    {"type": "message_start", "message": {"usage": {"input_tokens": 1}}},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "a"}},
    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 1}},
    {"type": "response.created", "response": {"id": "r", "output": []}},
    {"type": "response.output_item.added", "output_index": 0, "item": {"type": "message", "content": []}},
    {"type": "response.output_text.delta", "output_index": 0, "content_index": 0, "delta": "a"},
    {"type": "response.function_call_arguments.delta", "output_index": 0, "delta": "{"},
    {"candidates": [{"content": {"parts": [{"text": "a"}]}}], "usageMetadata": {"promptTokenCount": 1}},
    {"contentBlockStart": {"contentBlockIndex": 0, "start": {"toolUse": {"name": "f"}}}},
    {"contentBlockDelta": {"contentBlockIndex": 0, "delta": {"text": "a"}}},
    {"message": {"content": "a", "tool_calls": []}, "done": False},
    {"choices": [{"index": 0, "delta": {"content": "a"}}]},
    {"choices": [{"index": 0, "text": "a"}]},
]


@pytest.mark.parametrize("provider", [provider for provider, _, _ in EXAMPLES], ids=NAMES)
def test_any_events_fold_into_a_body_that_can_be_read(provider: Provider) -> None:
    @FAST
    @given(st.lists(st.sampled_from(STREAMS).flatmap(mutated), max_size=5))
    def check(events: list[Json]) -> None:
        folded = provider.fold_events(events)
        assert isinstance(folded, dict)
        stream_of(events)
        with suppress(MalformedError):
            provider.answered(folded, set())

    check()


@given(st.binary(max_size=300))
@FAST
def test_any_bytes_are_a_stream_of_some_events(stream: bytes) -> None:
    assert all(isinstance(event, dict) for event in events_of(b"data: " + stream))
