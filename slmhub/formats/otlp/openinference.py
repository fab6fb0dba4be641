"""OpenInference (Arize): lists flattened into numbered attributes, raw request and response beside them."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from slmhub.formats.fields import as_text, number_of, text_of
from slmhub.formats.otlp.flattened import Items, Unflattener
from slmhub.formats.otlp.flattened_messages import MESSAGE, joined, messages_of
from slmhub.formats.otlp.reading import Reading
from slmhub.formats.otlp.values import (
    Taken,
    decoded,
    end,
    inclusive,
    said,
    strings_of,
    tool_messages,
    user_texts,
)
from slmhub.formats.otlp.wire import SpanData
from slmhub.formats.payloads import answered_from, asked_from
from slmhub.formats.providers.names import provider_of
from slmhub.formats.providers.shapes import Answered
from slmhub.formats.records import Issue, SpanKind, Usage
from slmhub.formats.tools import definition_of

NAME = "openinference"

_KINDS = {
    "LLM": SpanKind.LLM,
    "EMBEDDING": SpanKind.EMBEDDING,
    "CHAIN": SpanKind.CHAIN,
    "AGENT": SpanKind.AGENT,
    "TOOL": SpanKind.TOOL,
    "RETRIEVER": SpanKind.RETRIEVER,
    "RERANKER": SpanKind.RETRIEVER,
    "PROMPT": SpanKind.CHAIN,
}
_MARKS = (
    "openinference.span.kind",
    "llm.input_messages.0.message.role",
    "llm.output_messages.0.message.role",
    "llm.token_count.prompt",
    "llm.model_name",
)
_DOCUMENT = {
    "": frozenset(
        f"document.{field}" for field in ("id", "content", "score", "metadata", "name", "url", "mime_type")
    )
}
_LISTS = Unflattener(
    {
        "llm.input_messages": MESSAGE,
        "llm.output_messages": MESSAGE,
        "llm.prompts": {"": frozenset({"prompt.text", ""})},
        "llm.choices": {"": frozenset({"completion.text", ""})},
        "llm.tools": {"": frozenset({"tool.json_schema", "tool.name", "tool.description"})},
        "retrieval.documents": _DOCUMENT,
        "reranker.output_documents": _DOCUMENT,
        "embedding.embeddings": {"": frozenset({"embedding.text", "embedding.vector"})},
    }
)
_NOT_PARAMETERS = frozenset({"model", "messages", "tools", "functions", "system", "input", "prompt"})
_LONGEST_REPEATED = 8192
_HIDEABLE = ("input.value", "output.value", "llm.invocation_parameters")


def claims(attributes: dict[str, Any]) -> bool:
    return any(mark in attributes for mark in _MARKS)


def read(span: SpanData, issues: set[Issue]) -> Reading:
    taken = Taken(span.attributes)
    reading = _reading_of(taken, issues)
    if taken.hides(*_HIDEABLE):
        issues.add(Issue.CONTENT_OFF)
    end(reading, taken.text("llm.finish_reason"))
    lists = _LISTS.lists_of(taken)
    reading.tools = [tool for item in lists["llm.tools"].in_order() if (tool := _tool_of(item, issues))]
    if reading.kind is SpanKind.TOOL:
        _read_tool(span, taken, reading, issues)
    elif reading.kind in (SpanKind.RETRIEVER, SpanKind.EMBEDDING):
        _read_documents(taken, reading, lists, issues)
    else:
        _read_messages(span, taken, reading, lists, issues)
    reading.taken = taken.keys
    return reading


def _reading_of(taken: Taken, issues: set[Issue]) -> Reading:
    parameters = {
        **taken.object("llm.invocation_parameters", issues),
        **taken.object("embedding.invocation_parameters", issues),
    }
    return Reading(
        kind=_kind_of(taken),
        session=taken.text("session.id"),
        user=taken.text("user.id"),
        agent=taken.text("agent.name"),
        provider=provider_of(taken.text("llm.provider", "llm.system")),
        model=taken.text(
            "llm.response.model_name",
            "llm.model_name",
            "llm.request.model_name",
            "embedding.model_name",
            "reranker.model_name",
        ),
        parameters={key: value for key, value in parameters.items() if key not in _NOT_PARAMETERS},
        streamed=parameters.get("stream") is True,
        usage=_usage_of(taken),
        cost=_cost_of(taken),
        tags=strings_of(taken.take("tag.tags"), issues),
        metadata=taken.object("metadata", issues),
    )


def _kind_of(taken: Taken) -> SpanKind | None:
    given = taken.text("openinference.span.kind")
    if given is None:
        return SpanKind.LLM
    return _KINDS.get(given.upper())


def _usage_of(taken: Taken) -> Usage:
    taken.tokens("llm.token_count.total")
    return inclusive(
        Usage(
            input=taken.tokens("llm.token_count.prompt"),
            output=taken.tokens("llm.token_count.completion"),
            cached_input=taken.tokens(
                "llm.token_count.prompt_details.cache_read", "llm.token_count.prompt_details.cache_input"
            ),
            cache_write=taken.tokens("llm.token_count.prompt_details.cache_write"),
            reasoning=taken.tokens("llm.token_count.completion_details.reasoning"),
        )
    )


def _cost_of(taken: Taken) -> float | None:
    total = taken.number("llm.cost.total")
    if total is not None:
        return total
    given = [taken.given.get(f"llm.cost.{side}") for side in ("prompt", "completion")]
    numbers = [number for value in given if (number := number_of(value)) is not None]
    return sum(numbers) if numbers else None


def _tool_of(fields: dict[str, Any], issues: set[Issue]) -> dict[str, Any] | None:
    given, name = fields.get("tool.json_schema"), text_of(fields.get("tool.name"))
    if isinstance(given, str) and len(given) <= _LONGEST_REPEATED and (known := _definition_in(given, name)):
        return known
    schema = decoded(given, issues)
    if isinstance(schema, dict):
        return definition_of(schema, name=name)
    return definition_of({"name": name, "description": fields.get("tool.description")}) if name else None


@lru_cache(maxsize=1024)
def _definition_in(schema: str, name: str | None) -> dict[str, Any] | None:
    """An agent repeats its tools in every span; who gets the definition shares it with all its calls."""
    found = decoded(schema, set())
    return definition_of(found, name=name) if isinstance(found, dict) else None


def _read_messages(
    span: SpanData, taken: Taken, reading: Reading, lists: dict[str, Items], issues: set[Issue]
) -> None:
    reading.messages = messages_of(lists["llm.input_messages"], issues)
    answers = messages_of(lists["llm.output_messages"], issues)
    if not reading.messages:
        reading.messages = user_texts(_texts(lists["llm.prompts"], "prompt.text"))
    if not answers:
        answers = [said(text) for text in _texts(lists["llm.choices"], "completion.text")]
    reading.output = _answer_of(answers, reading.parameters, issues)
    _complete_asked(span, taken, reading, lists, issues)
    _complete_answer(taken, reading, issues)


def _answer_of(answers: list[Any], parameters: dict[str, Any], issues: set[Issue]) -> Any:
    wanted = number_of(parameters.get("n") or parameters.get("candidate_count"))
    if len(answers) > 1 and wanted and wanted > 1:
        issues.add(Issue.SEVERAL_CHOICES)
        return answers[0]
    return joined(answers)


def _complete_asked(
    span: SpanData, taken: Taken, reading: Reading, lists: dict[str, Items], issues: set[Issue]
) -> None:
    """Fills in from the raw request what the emitter's limits cut off the flattened attributes."""
    gaps = lists["llm.input_messages"].has_gaps() or lists["llm.tools"].has_gaps()
    if gaps:
        issues.add(Issue.ATTRIBUTES_DROPPED)
    raw = taken.take("input.value")
    taken.text("input.mime_type")
    if raw is None or (reading.messages and not gaps and not span.dropped):
        return
    asked = asked_from(decoded(raw, issues), issues)
    if len(asked.messages) >= len(reading.messages):
        reading.messages = asked.messages
    if len(asked.tools) >= len(reading.tools):
        reading.tools = asked.tools
    reading.parameters = {**asked.parameters, **reading.parameters}
    reading.model, reading.user = reading.model or asked.model, reading.user or asked.user
    reading.streamed = reading.streamed or asked.streamed


def _complete_answer(taken: Taken, reading: Reading, issues: set[Issue]) -> None:
    """The raw response holds what no flattened attribute does: its id, why it ended, reasoning tokens."""
    raw = taken.take("output.value")
    taken.text("output.mime_type")
    if raw is None:
        return
    if reading.output is None:
        answered = answered_from(decoded(raw, issues), issues)
    else:
        answered = answered_from(raw, set()) if _is_object(raw) else Answered()
    reading.output = reading.output or answered.output
    reading.response_id = answered.response_id
    if reading.finish_reason is None:
        end(reading, answered.finish_reason_given or answered.finish_reason)
    reading.error = answered.error
    for name in Usage.__struct_fields__:
        if getattr(reading.usage, name) is None:
            setattr(reading.usage, name, getattr(answered.usage, name))


def _is_object(raw: Any) -> bool:
    return isinstance(raw, dict) or (isinstance(raw, str) and raw.startswith("{"))


def _texts(items: Items, field: str) -> list[Any]:
    return [fields.get(field, fields.get("")) for fields in items.in_order()]


def _read_tool(span: SpanData, taken: Taken, reading: Reading, issues: set[Issue]) -> None:
    reading.name = taken.text("tool.name") or span.name
    arguments = taken.take("input.value", "tool.parameters")
    reading.messages, reading.output = tool_messages(
        reading.name,
        taken.text("tool_call.id", "tool.id"),
        arguments=arguments,
        result=taken.take("output.value"),
        issues=issues,
    )
    taken.text("input.mime_type")
    taken.text("output.mime_type")


def _read_documents(taken: Taken, reading: Reading, lists: dict[str, Items], issues: set[Issue]) -> None:
    embeddings = lists["embedding.embeddings"].in_order()
    texts = [text for item in embeddings if (text := item.get("embedding.text")) is not None]
    vectors = sum(1 for item in embeddings if "embedding.vector" in item)
    documents = [*lists["retrieval.documents"].in_order(), *lists["reranker.output_documents"].in_order()]
    question = taken.take("reranker.query") if "reranker.query" in taken.given else taken.take("input.value")
    taken.text("input.mime_type")
    reading.messages = user_texts(texts) if texts else asked_from(decoded(question, issues), issues).messages
    if vectors:
        reading.attributes["vectors"] = vectors
    if documents:
        reading.output = said(as_text([_document_of(document, issues) for document in documents]))
        taken.take("output.value")
    elif reading.kind is SpanKind.RETRIEVER and (answer := taken.take("output.value")) is not None:
        reading.output = said(answer)
    if (top := taken.tokens("reranker.top_k")) is not None:
        reading.parameters["top_k"] = top


def _document_of(fields: dict[str, Any], issues: set[Issue]) -> dict[str, Any]:
    return {key.removeprefix("document."): decoded(value, issues) for key, value in fields.items()}
