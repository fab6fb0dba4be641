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
_COUNT, _IN, _OUT = "ai.usage.", "ai.usage.inputTokenDetails.", "ai.usage.outputTokenDetails."
_USAGE = {
    "input": (_COUNT + "inputTokens", _COUNT + "promptTokens", _COUNT + "tokens"),
    "output": (_COUNT + "outputTokens", _COUNT + "completionTokens"),
    "cached_input": (_IN + "cacheReadTokens", _COUNT + "cachedInputTokens"),
    "cache_write": (_IN + "cacheWriteTokens",),
    "reasoning": (_OUT + "reasoningTokens", _COUNT + "reasoningTokens"),
}
_SAID_ABOUT = ("ai.telemetry.metadata.", "ai.settings.context.")


def claims(attributes: dict[str, Any]) -> bool:
    if any(mark in attributes for mark in _MARKS):
        return True
    # Spans of version 7 are those of the semantic conventions; what it adds has the program's own names.
    return "gen_ai.operation.name" in attributes and any(key.startswith(_OWN) for key in attributes)


def read(span: SpanData, issues: set[Issue]) -> Reading:
    taken = Taken(span.attributes)
    operation = str(taken.given.get("ai.operationId") or "")
    taken.text("operation.name")
    # Of `openai.responses` the provider is openai; the rest names its API.
    provider = (taken.text("ai.model.provider") or "").partition(".")[0]
    taken.tokens("ai.usage.totalTokens")
    reading = Reading(
        agent=taken.text("ai.telemetry.functionId", "resource.name"),
        provider=provider_of(provider),
        model=taken.text("ai.response.model", "ai.model.id"),
        parameters=_parameters_of(taken, issues),
        usage=Usage(**{name: taken.tokens(*keys) for name, keys in _USAGE.items()}),
        ttft_ms=taken.number("ai.response.msToFirstChunk", "ai.stream.msToFirstChunk"),
        response_id=taken.text("ai.response.id"),
        streamed="stream" in operation.lower(),
    )
    if operation:
        reading.kind = _LEAVES.get(operation.rpartition(".")[2], SpanKind.CHAIN)
    elif "ai.toolCall.name" in taken.given:
        reading.kind = SpanKind.TOOL
    about = {key: value for prefix in _SAID_ABOUT for key, value in taken.under(prefix).items()}
    add_context(reading, about, issues)

    if reading.kind is SpanKind.TOOL:
        reading.name = taken.text("ai.toolCall.name") or span.name
        reading.messages, reading.output = tool_messages(
            reading.name,
            taken.text("ai.toolCall.id"),
            arguments=taken.take("ai.toolCall.args", "ai.toolCall.input"),
            result=unquoted(taken.take("ai.toolCall.result", "ai.toolCall.output")),
            issues=issues,
        )
    elif reading.kind is SpanKind.EMBEDDING or "ai.value" in taken.given or "ai.values" in taken.given:
        one, many = taken.take("ai.value"), taken.take("ai.values")
        texts = many if isinstance(many, list) else [one]
        reading.messages = user_texts([unquoted(text) for text in texts])
        vector, vectors = taken.take("ai.embedding"), taken.take("ai.embeddings")
        count = len(vectors) if isinstance(vectors, list) else int(vector is not None)
        if count:
            reading.attributes["vectors"] = count
    else:
        prompt, whole = taken.take("ai.prompt.messages"), taken.take("ai.prompt")
        reading.messages = messages_of(prompt, issues) if prompt is not None else prompt_of(whole, issues)
        reading.tools = tools_of(taken.take("ai.prompt.tools"), issues)
        reading.output = _output_of(taken, issues)
        end(reading, taken.text("ai.response.finishReason", "ai.finishReason"))
    reading.taken = taken.keys
    return reading


def _parameters_of(taken: Taken, issues: set[Issue]) -> dict[str, Any]:
    parameters: dict[str, Any] = {}
    for key, name in _SETTINGS.items():
        value = taken.take(key)
        if value is not None:
            parameters[name] = value
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


def _output_of(taken: Taken, issues: set[Issue]) -> Message | None:
    said = taken.take("ai.response.text", "ai.response.object", "ai.result.text", "ai.result.object")
    reasoning = taken.take("ai.response.reasoning")
    files = decoded(taken.take("ai.response.files"), issues)
    calls = calls_of(taken.take("ai.response.toolCalls", "ai.result.toolCalls"), issues)
    if said is None and reasoning is None and not calls and not files:
        return None
    thoughts = decoded(reasoning, issues)
    if isinstance(thoughts, list):
        parts = [reasoning_part(as_text(thought.get("text", ""))) for thought in objects_in(thoughts)]
    else:
        parts = [] if thoughts in (None, "") else [reasoning_part(as_text(thoughts))]
    if said not in (None, ""):
        parts.append(text_part(as_text(said)))
    parts += [part_of({"type": "file", **file}) for file in objects_in(files)]
    message = assistant(parts, calls)
    if message["content"] is None and said == "" and not calls:
        message["content"] = ""
    return message
