"""Spans of a convention that nobody here knows: what went in and out is looked for under usual names."""

from __future__ import annotations

from typing import Any

from slmhub.formats import payloads
from slmhub.formats.otlp.reading import Reading
from slmhub.formats.otlp.values import HIDDEN
from slmhub.formats.otlp.wire import SpanData
from slmhub.formats.records import Issue

NAME = "otlp"

# OpenInference, Google ADK, pydantic-ai, MLflow, Traceloop, LangSmith's OTel twin, Genkit, written by hand.
_ASKED = (
    "input.value", "gcp.vertex.agent.llm_request", "gcp.vertex.agent.tool_call_args", "all_messages_events",
    "pydantic_ai.all_messages", "mlflow.spanInputs", "traceloop.entity.input", "gen_ai.prompt",
    "genkit:input", "input", "prompt",
)  # fmt: skip
_ANSWERED = (
    "output.value", "gcp.vertex.agent.llm_response", "gcp.vertex.agent.tool_response", "mlflow.spanOutputs",
    "traceloop.entity.output", "gen_ai.completion", "genkit:output", "final_result", "output", "completion",
)  # fmt: skip


def claims(attributes: dict[str, Any]) -> bool:
    return any(key in attributes for key in (*_ASKED, *_ANSWERED))


def read(span: SpanData, issues: set[Issue]) -> Reading:
    reading = Reading()
    for key in _ASKED:
        if _is_there(value := span.attributes.get(key), issues):
            asked = payloads.asked_from(value, issues)
            reading.messages, reading.tools = asked.messages, asked.tools
            reading.parameters, reading.streamed = asked.parameters, asked.streamed
            reading.model, reading.user = asked.model, asked.user
            reading.taken.add(key)
            break
    for key in _ANSWERED:
        if _is_there(value := span.attributes.get(key), issues):
            answered = payloads.answered_from(value, issues)
            reading.output, reading.usage, reading.error = answered.output, answered.usage, answered.error
            reading.finish_reason = answered.finish_reason
            reading.finish_reason_given = answered.finish_reason_given
            reading.model, reading.response_id = answered.model or reading.model, answered.response_id
            reading.taken.add(key)
            break
    return reading


def _is_there(value: Any, issues: set[Issue]) -> bool:
    if value == HIDDEN:
        issues.add(Issue.CONTENT_OFF)
    return value not in (None, "", [], {}, HIDDEN)
