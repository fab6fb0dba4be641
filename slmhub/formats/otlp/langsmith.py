"""What LangSmith's SDK writes on OTLP spans: whole inputs and outputs of a run as JSON."""

from __future__ import annotations

from typing import Any

from slmhub.formats.fields import first_text
from slmhub.formats.otlp.context import add_context
from slmhub.formats.otlp.reading import Reading
from slmhub.formats.otlp.values import Taken, decoded, end, strings_of
from slmhub.formats.otlp.wire import SpanData
from slmhub.formats.platforms.langchain_answers import first_usage, usage_of
from slmhub.formats.platforms.langsmith_contents import answered_of, asked_of
from slmhub.formats.providers.names import provider_of
from slmhub.formats.records import Issue, SpanKind, Usage

NAME = "langsmith"

_KINDS = {
    "llm": SpanKind.LLM,
    "chain": SpanKind.CHAIN,
    "prompt": SpanKind.CHAIN,
    "parser": SpanKind.CHAIN,
    "tool": SpanKind.TOOL,
    "retriever": SpanKind.RETRIEVER,
    "embedding": SpanKind.EMBEDDING,
}
_MARKS = (
    "langsmith.span.kind",
    "langsmith.trace.name",
    "langsmith.trace.session_name",
    "langsmith.span.tags",
)
_METADATA = "langsmith.metadata."
_REQUEST = "gen_ai.request."
_PARAMETERS = ("max_tokens", "temperature", "top_p", "frequency_penalty", "presence_penalty")


def claims(attributes: dict[str, Any]) -> bool:
    return any(mark in attributes for mark in _MARKS)


def read(span: SpanData, issues: set[Issue]) -> Reading:
    taken = Taken(span.attributes)
    kind = taken.text("langsmith.span.kind")
    project = taken.text("langsmith.trace.session_name")
    metadata = taken.under(_METADATA)
    # The total is the sum of the two below: understood, and not needed.
    taken.tokens("gen_ai.usage.total_tokens")
    counts = {
        "input_tokens": taken.tokens("gen_ai.usage.input_tokens"),
        "output_tokens": taken.tokens("gen_ai.usage.output_tokens"),
        "input_token_details": taken.object("gen_ai.usage.input_token_details", issues),
        "output_token_details": taken.object("gen_ai.usage.output_token_details", issues),
    }
    reading = Reading(
        kind=_KINDS.get(kind.lower()) if kind else None,
        name=taken.text("gen_ai.tool.name", "langsmith.trace.name"),
        provider=provider_of(taken.text("gen_ai.system") or first_text((metadata,), ("ls_provider",))),
        model=taken.text("gen_ai.response.model", "gen_ai.request.model")
        or first_text((metadata,), ("ls_model_name",)),
        usage=usage_of(counts),
        tags=strings_of(taken.take("langsmith.span.tags"), issues),
        streamed=taken.flag("langsmith.request.streaming"),
        response_id=taken.text("gen_ai.response.id"),
        attributes={"project": project} if project else {},
    )
    for name in _PARAMETERS:
        value = taken.take(_REQUEST + name)
        if value is not None:
            reading.parameters[name] = value
    add_context(reading, metadata, issues)
    # The exporter writes the project here, with its name beside it; alone it is what a person set.
    if "langsmith.trace.session_name" not in taken.given:
        reading.session = reading.session or taken.text("langsmith.trace.session_id")
    _read_contents(span, taken, reading, issues)
    reading.taken = taken.keys
    return reading


def _read_contents(span: SpanData, taken: Taken, reading: Reading, issues: set[Issue]) -> None:
    run = {
        "name": reading.name or span.name,
        "inputs": decoded(taken.take("gen_ai.prompt"), issues),
        "outputs": decoded(taken.take("gen_ai.completion"), issues),
        "extra": {"metadata": {"tool_call_id": taken.text("gen_ai.tool.call.id")}},
    }
    kind = reading.kind or SpanKind.OTHER
    tools = decoded(taken.take("gen_ai.tool.definitions"), issues)
    asked = asked_of(kind, run, {**reading.parameters, "tools": tools}, issues)
    answered = answered_of(kind, run, issues)
    reading.messages, reading.tools, reading.output = asked.messages, asked.tools, answered.output
    reading.parameters = {**asked.parameters, **reading.parameters}
    reading.model = reading.model or answered.model or asked.model
    reading.user = reading.user or asked.user
    reading.streamed = reading.streamed or asked.streamed
    reading.response_id = reading.response_id or answered.response_id
    reading.usage = first_usage([reading.usage, answered.usage]) if kind is not SpanKind.TOOL else Usage()
    reading.error = answered.error
    reading.attributes |= {key: value for key, value in answered.attributes.items() if value}
    finish = answered.finish_reason_given or answered.finish_reason
    if not finish:
        reasons = taken.take("gen_ai.response.finish_reasons")
        first = reasons[0] if isinstance(reasons, list) and reasons else reasons
        finish = first if isinstance(first, str) and first else None
    end(reading, finish)
