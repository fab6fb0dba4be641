"""Vercel AI SDK: its own `ai.*` attributes (up to 6), and what 7 says beside the semantic conventions."""

from __future__ import annotations

from typing import Any

from slmhub.formats.fields import as_text, objects_in
from slmhub.formats.otlp.context import add_context
from slmhub.formats.otlp.reading import Reading
from slmhub.formats.otlp.values import Taken, decoded, end, tool_messages, unquoted, user_texts
from slmhub.formats.otlp.vercel_messages import (
    calls_of,
    choice_of,
    messages_of,
    part_of,
    prompt_of,
    tools_of,
)
from slmhub.formats.otlp.wire import SpanData
from slmhub.formats.parts import assistant, reasoning_part, text_part
from slmhub.formats.providers.names import provider_of
from slmhub.formats.records import Issue, Message, SpanKind, Usage

NAME = "vercel_ai"

_MARKS = (
    "ai.operationId",
    "ai.toolCall.name",
    "ai.model.id",
    "ai.telemetry.functionId",
    "ai.prompt.messages",
)
_OWN = "ai."
# The span around a call repeats its prompt, answer and usage: only the inner one is the call.
_LEAVES = {
    "doGenerate": SpanKind.LLM,
    "doStream": SpanKind.LLM,
    "doEmbed": SpanKind.EMBEDDING,
    "doRerank": SpanKind.RETRIEVER,
    "toolCall": SpanKind.TOOL,
}
_SETTINGS = {
    "ai.settings.temperature": "temperature",
    "ai.settings.topP": "top_p",
    "ai.settings.topK": "top_k",
    "ai.settings.maxTokens": "max_tokens",
    "ai.settings.maxOutputTokens": "max_tokens",
    "ai.settings.seed": "seed",
    "ai.settings.stopSequences": "stop",
    "ai.settings.presencePenalty": "presence_penalty",
    "ai.settings.frequencyPenalty": "frequency_penalty",
}
_SAID_ABOUT = ("ai.telemetry.metadata.", "ai.settings.context.")


def claims(attributes: dict[str, Any]) -> bool:
    if any(mark in attributes for mark in _MARKS):
        return True
    # Spans of version 7 are those of the semantic conventions; what it adds has the program's own names.
    return "gen_ai.operation.name" in attributes and any(key.startswith(_OWN) for key in attributes)


def read(span: SpanData, issues: set[Issue]) -> Reading:
    taken = Taken(span.attributes)
    reading = _reading_of(taken, issues)
    _add_context(taken, reading, issues)
    if reading.kind is SpanKind.TOOL:
        _read_tool(span, taken, reading, issues)
    elif reading.kind is SpanKind.EMBEDDING or "ai.value" in taken.given or "ai.values" in taken.given:
        _read_embedding(taken, reading, issues)
    else:
        _read_messages(taken, reading, issues)
    reading.taken = taken.keys
    return reading


def _reading_of(taken: Taken, issues: set[Issue]) -> Reading:
    operation = str(taken.given.get("ai.operationId") or "")
    function = taken.text("ai.telemetry.functionId", "resource.name")
    taken.text("operation.name")
    return Reading(
        kind=_kind_of(operation, taken.given),
        agent=function,
        provider=_provider_of(taken.text("ai.model.provider")),
        model=taken.text("ai.response.model", "ai.model.id"),
        parameters=_parameters_of(taken, issues),
        usage=_usage_of(taken),
        ttft_ms=taken.number("ai.response.msToFirstChunk", "ai.stream.msToFirstChunk"),
        response_id=taken.text("ai.response.id"),
        streamed="stream" in operation.lower(),
    )


def _kind_of(operation: str, given: dict[str, Any]) -> SpanKind | None:
    if not operation:
        return SpanKind.TOOL if "ai.toolCall.name" in given else None
    return _LEAVES.get(operation.rpartition(".")[2], SpanKind.CHAIN)


def _provider_of(given: str | None) -> str | None:
    """Of `openai.responses` the provider is openai; the rest names its API."""
    return provider_of(given.partition(".")[0]) if given else None


def _parameters_of(taken: Taken, issues: set[Issue]) -> dict[str, Any]:
    parameters = {name: value for key, name in _SETTINGS.items() if (value := taken.take(key)) is not None}
    choice = taken.take("ai.prompt.toolChoice")
    if choice is not None:
        parameters["tool_choice"] = choice_of(choice, issues)
    schema = decoded(taken.take("ai.schema"), issues)
    if schema is not None:
        named = {"name": taken.text("ai.schema.name"), "description": taken.text("ai.schema.description")}
        described = {key: value for key, value in named.items() if value}
        parameters["response_format"] = {
            "type": "json_schema",
            "json_schema": {**described, "schema": schema},
        }
    return parameters


def _usage_of(taken: Taken) -> Usage:
    taken.tokens("ai.usage.totalTokens")
    return Usage(
        input=taken.tokens("ai.usage.inputTokens", "ai.usage.promptTokens", "ai.usage.tokens"),
        output=taken.tokens("ai.usage.outputTokens", "ai.usage.completionTokens"),
        cached_input=taken.tokens("ai.usage.inputTokenDetails.cacheReadTokens", "ai.usage.cachedInputTokens"),
        cache_write=taken.tokens("ai.usage.inputTokenDetails.cacheWriteTokens"),
        reasoning=taken.tokens("ai.usage.outputTokenDetails.reasoningTokens", "ai.usage.reasoningTokens"),
    )


def _add_context(taken: Taken, reading: Reading, issues: set[Issue]) -> None:
    given: dict[str, Any] = {}
    for prefix in _SAID_ABOUT:
        given |= taken.under(prefix)
    add_context(reading, given, issues)


def _read_messages(taken: Taken, reading: Reading, issues: set[Issue]) -> None:
    prompt = taken.take("ai.prompt.messages")
    whole = taken.take("ai.prompt")
    reading.messages = messages_of(prompt, issues) if prompt is not None else prompt_of(whole, issues)
    reading.tools = tools_of(taken.take("ai.prompt.tools"), issues)
    reading.output = _output_of(taken, issues)
    end(reading, taken.text("ai.response.finishReason", "ai.finishReason"))


def _output_of(taken: Taken, issues: set[Issue]) -> Message | None:
    said = taken.take("ai.response.text", "ai.response.object", "ai.result.text", "ai.result.object")
    reasoning = taken.take("ai.response.reasoning")
    files = decoded(taken.take("ai.response.files"), issues)
    calls = calls_of(taken.take("ai.response.toolCalls", "ai.result.toolCalls"), issues)
    if said is None and reasoning is None and not calls and not files:
        return None
    parts = [part_of({"type": "file", **file}) for file in objects_in(files)]
    if said not in (None, ""):
        parts.insert(0, text_part(as_text(said)))
    thoughts = [reasoning_part(text) for text in _thoughts_in(reasoning, issues)]
    message = assistant([*thoughts, *parts], calls)
    return {**message, "content": ""} if message["content"] is None and said == "" and not calls else message


def _thoughts_in(reasoning: Any, issues: set[Issue]) -> list[str]:
    given = decoded(reasoning, issues)
    if isinstance(given, list):
        return [as_text(part.get("text", "")) for part in objects_in(given)]
    return [] if given in (None, "") else [as_text(given)]


def _read_tool(span: SpanData, taken: Taken, reading: Reading, issues: set[Issue]) -> None:
    reading.name = taken.text("ai.toolCall.name") or span.name
    reading.messages, reading.output = tool_messages(
        reading.name,
        taken.text("ai.toolCall.id"),
        arguments=taken.take("ai.toolCall.args", "ai.toolCall.input"),
        result=unquoted(taken.take("ai.toolCall.result", "ai.toolCall.output")),
        issues=issues,
    )


def _read_embedding(taken: Taken, reading: Reading, issues: set[Issue]) -> None:
    one, many = taken.take("ai.value"), taken.take("ai.values")
    texts = many if isinstance(many, list) else [one] if one is not None else []
    reading.messages = user_texts([unquoted(text) for text in texts])
    vector, vectors = taken.take("ai.embedding"), taken.take("ai.embeddings")
    count = len(vectors) if isinstance(vectors, list) else int(vector is not None)
    if count:
        reading.attributes["vectors"] = count
