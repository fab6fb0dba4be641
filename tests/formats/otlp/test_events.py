from __future__ import annotations

import json
from typing import Any

import pytest

from slmhub.formats.merge import joined
from slmhub.formats.otlp.read import records_of_logs, records_of_spans
from slmhub.formats.records import Issue, Record, SpanKind, Usage
from tests.formats.otlp.spans import (
    ANSWER,
    INPUT,
    MESSAGES,
    OUTPUT,
    START_NS,
    event,
    issues_of,
    log,
    record,
    span,
)

OLD = {
    "gen_ai.operation.name": "chat",
    "gen_ai.system": "openai",
    "gen_ai.request.model": "gpt-4o",
    "gen_ai.usage.input_tokens": 12,
    "gen_ai.usage.output_tokens": 5,
}
CALL = {"id": "c1", "type": "function", "function": {"name": "look", "arguments": '{"a": 1}'}}


def told(*contents: tuple[str, Any]) -> Record:
    logs = [log(name, body, time_ns=START_NS + at) for at, (name, body) in enumerate(contents)]
    return next(iter(records_of_logs(logs)))


def test_it_reads_messages_from_span_events() -> None:
    call = record(
        OLD,
        events=[
            event("gen_ai.system.message", content="You help with orders."),
            event("gen_ai.user.message", **{"gen_ai.event.content": '{"content": "Where is #W1?"}'}),
            event("gen_ai.choice", index=0, finish_reason="stop", message='{"content": "On its way."}'),
        ],
    )
    assert (call.messages, call.output, call.finish_reason) == (MESSAGES, OUTPUT, "stop")
    assert (call.format, call.kind, call.usage) == (
        "otel_genai_events",
        SpanKind.LLM,
        Usage(input=12, output=5),
    )
    assert call.message_times == []


def test_it_reads_the_prompt_and_completion_of_the_first_generation() -> None:
    asked = json.dumps([{"role": "user", "content": "Hi"}])
    said = json.dumps([{"role": "assistant", "content": "Hello"}])
    call = record(
        OLD,
        events=[
            event("gen_ai.content.prompt", **{"gen_ai.prompt": asked}),
            event("gen_ai.content.completion", **{"gen_ai.completion": said}),
        ],
    )
    assert call.messages == [{"role": "user", "content": "Hi"}]
    assert call.output == {"role": "assistant", "content": "Hello"}


def test_it_reads_the_details_of_an_operation_from_an_event() -> None:
    details = {"gen_ai.input.messages": INPUT, "gen_ai.output.messages": ANSWER}
    name = "gen_ai.client.inference.operation.details"
    call = record({**OLD, "gen_ai.provider.name": "openai"}, events=[event(name, **details)])
    assert (call.messages, call.output) == (MESSAGES, OUTPUT)
    part = next(iter(records_of_logs([log(name, attributes={**OLD, **details})])))
    assert (part.messages, part.output, part.usage.input, part.partial) == (MESSAGES, OUTPUT, 12, True)


def test_it_makes_one_part_of_the_log_records_of_a_span() -> None:
    part = told(
        ("gen_ai.system.message", {"content": "You help with orders."}),
        ("gen_ai.user.message", {"content": "Where is #W1?"}),
        ("gen_ai.assistant.message", {"tool_calls": [CALL]}),
        ("gen_ai.tool.message", {"id": "c1", "content": "sent"}),
        ("gen_ai.choice", {"index": 0, "finish_reason": "stop", "message": {"content": "On its way."}}),
    )
    assert part.messages == [
        *MESSAGES,
        {"role": "assistant", "content": None, "tool_calls": [CALL]},
        {"role": "tool", "content": "sent", "tool_call_id": "c1"},
    ]
    assert part.message_times == [START_NS, START_NS + 1, START_NS + 2, START_NS + 3]
    assert (part.output, part.finish_reason, part.partial) == (OUTPUT, "stop", True)


@pytest.mark.parametrize("span_first", [True, False])
def test_it_puts_span_and_log_records_together_whichever_comes_first(span_first: bool) -> None:
    whole = list(records_of_spans([span(OLD)]))
    parts = [
        told(("gen_ai.user.message", {"content": "Where is #W1?"})),
        told(("gen_ai.choice", {"message": {"content": "On its way."}, "finish_reason": "stop"})),
    ]
    (call,) = joined([*whole, *parts] if span_first else [*parts, *whole])
    assert isinstance(call, Record)
    assert (call.name, call.partial, call.usage) == ("chat gpt-4o", False, Usage(input=12, output=5))
    assert (call.messages, call.output) == (MESSAGES[1:], OUTPUT)
    assert "issues" not in call.attributes


def test_it_notes_events_whose_content_is_switched_off() -> None:
    hidden = told(
        ("gen_ai.user.message", {}),
        ("gen_ai.choice", {"finish_reason": "stop", "message": {"role": "assistant"}}),
    )
    assert issues_of(hidden) == [Issue.CONTENT_OFF]
    (call,) = joined([*records_of_spans([span(OLD)]), hidden])
    assert isinstance(call, Record)
    assert issues_of(call) == [Issue.CONTENT_OFF]


def test_it_takes_an_empty_result_of_a_tool_for_what_it_is() -> None:
    part = told(("gen_ai.user.message", {"content": "Go"}), ("gen_ai.tool.message", {"id": "c1"}))
    assert part.messages[1] == {"role": "tool", "content": "", "tool_call_id": "c1"}
    assert issues_of(part) == []


def test_it_notes_several_choices_and_takes_the_first() -> None:
    part = told(
        ("gen_ai.choice", {"index": 0, "message": {"content": "a"}}),
        ("gen_ai.choice", {"index": 1, "message": {"content": "b"}}),
    )
    assert part.output == {"role": "assistant", "content": "a"}
    assert issues_of(part) == [Issue.SEVERAL_CHOICES]


def test_it_keeps_log_records_that_say_nothing_of_a_model() -> None:
    part = told(("app.checkout", "an order was placed"), ("", {"level": "info"}))
    assert (part.kind, part.partial) == (SpanKind.OTHER, True)
    assert [row["body"] for row in part.attributes["events"]] == ["an order was placed", {"level": "info"}]
    (call,) = joined([part, *records_of_spans([span(OLD)])])
    assert isinstance(call, Record)
    assert (call.kind, len(call.attributes["events"])) == (SpanKind.LLM, 2)


def test_it_tells_the_error_that_a_log_record_reports() -> None:
    attributes = {"exception.type": "RateLimitError", "exception.message": "slow down"}
    part = next(iter(records_of_logs([log("gen_ai.client.operation.exception", attributes=attributes)])))
    assert part.error == "RateLimitError: slow down"
