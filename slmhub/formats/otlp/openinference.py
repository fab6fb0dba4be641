"""OpenInference (Arize): lists flattened into numbered attributes, raw request and response beside them."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from slmhub.formats.fields import number_of, text_of
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
_MODEL = (
    "llm.response.model_name", "llm.model_name", "llm.request.model_name", "embedding.model_name",
    "reranker.model_name",
)  # fmt: skip
_COUNT = "llm.token_count."
_USAGE = {
    "input": (_COUNT + "prompt",),
    "output": (_COUNT + "completion",),
    "cached_input": (_COUNT + "prompt_details.cache_read", _COUNT + "prompt_details.cache_input"),
    "cache_write": (_COUNT + "prompt_details.cache_write",),
    "reasoning": (_COUNT + "completion_details.reasoning",),
}
_NOT_PARAMETERS = frozenset({"model", "messages", "tools", "functions", "system", "input", "prompt"})
_LONGEST_REPEATED = 8192
_HIDEABLE = ("input.value", "output.value", "llm.invocation_parameters")


def claims(attributes: dict[str, Any]) -> bool:
    return any(mark in attributes for mark in _MARKS)


def read(span: SpanData, issues: set[Issue]) -> Reading:
    taken = Taken(span.attributes)
    kind = taken.text("openinference.span.kind")
    parameters = {
        **taken.object("llm.invocation_parameters", issues),
        **taken.object("embedding.invocation_parameters", issues),
    }
    # The total is the sum of the two below: understood, and not needed.
    taken.tokens("llm.token_count.total")
    reading = Reading(
        # Spans that an emitter's limits cut have lost their kind; what is left is of a model call.
        kind=SpanKind.LLM if kind is None else _KINDS.get(kind.upper()),
        session=taken.text("session.id"),
        user=taken.text("user.id"),
        agent=taken.text("agent.name"),
        provider=provider_of(taken.text("llm.provider", "llm.system")),
        model=taken.text(*_MODEL),
        parameters={key: value for key, value in parameters.items() if key not in _NOT_PARAMETERS},
        streamed=parameters.get("stream") is True,
        usage=inclusive(Usage(**{name: taken.tokens(*keys) for name, keys in _USAGE.items()})),
        cost=taken.number("llm.cost.total"),
        tags=strings_of(taken.take("tag.tags"), issues),
        metadata=taken.object("metadata", issues),
    )
    if reading.cost is None:
        sides = [number_of(taken.given.get(f"llm.cost.{side}")) for side in ("prompt", "completion")]
        known = [cost for cost in sides if cost is not None]
        reading.cost = sum(known) if known else None
    if taken.hides(*_HIDEABLE):
        issues.add(Issue.CONTENT_OFF)
    end(reading, taken.text("llm.finish_reason"))

    lists = _LISTS.lists_of(taken)
    for item in lists["llm.tools"].in_order():
        tool = _tool_of(item, issues)
        if tool is not None:
            reading.tools.append(tool)
    if reading.kind is SpanKind.TOOL:
        reading.name = taken.text("tool.name") or span.name
        reading.messages, reading.output = tool_messages(
            reading.name,
            taken.text("tool_call.id", "tool.id"),
            arguments=taken.take("input.value", "tool.parameters"),
            result=taken.take("output.value"),
            issues=issues,
        )
        taken.text("input.mime_type")
        taken.text("output.mime_type")
    elif reading.kind in (SpanKind.RETRIEVER, SpanKind.EMBEDDING):
        _read_documents(taken, reading, lists, issues)
    else:
        _read_messages(span, taken, reading, lists, issues)
    reading.taken = taken.keys
    return reading


def _tool_of(fields: dict[str, Any], issues: set[Issue]) -> dict[str, Any] | None:
    given = fields.get("tool.json_schema")
    name = text_of(fields.get("tool.name"))
    if isinstance(given, str) and len(given) <= _LONGEST_REPEATED:
        known = _definition_in(given, name)
        if known:
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
    if not reading.messages:
        reading.messages = user_texts(_texts(lists["llm.prompts"], "prompt.text"))
    answers = messages_of(lists["llm.output_messages"], issues)
    if not answers:
        answers = [said(text) for text in _texts(lists["llm.choices"], "completion.text")]
    # Several messages are the choices of one call where it asked for several, else the items of one answer.
    wanted = number_of(reading.parameters.get("n") or reading.parameters.get("candidate_count"))
    if len(answers) > 1 and wanted and wanted > 1:
        issues.add(Issue.SEVERAL_CHOICES)
        reading.output = answers[0]
    else:
        reading.output = joined(answers)
    _complete_asked(span, taken, reading, lists, issues)
    _complete_answer(taken, reading, issues)


def _texts(items: Items, field: str) -> list[Any]:
    return [fields.get(field, fields.get("")) for fields in items.in_order()]


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
    reading.model = reading.model or asked.model
    reading.user = reading.user or asked.user
    reading.streamed = reading.streamed or asked.streamed


def _complete_answer(taken: Taken, reading: Reading, issues: set[Issue]) -> None:
    """The raw response holds what no flattened attribute does: its id, why it ended, reasoning tokens."""
    raw = taken.take("output.value")
    taken.text("output.mime_type")
    if raw is None:
        return
    answered = Answered()
    if reading.output is None:
        answered = answered_from(decoded(raw, issues), issues)
        reading.output = answered.output
    elif isinstance(raw, dict) or (isinstance(raw, str) and raw.startswith("{")):
        # The answer is known already: what is odd about its raw form is no issue of the record.
        answered = answered_from(raw, set())
    reading.response_id = answered.response_id
    if reading.finish_reason is None:
        end(reading, answered.finish_reason_given or answered.finish_reason)
    reading.error = answered.error
    for name in Usage.__struct_fields__:
        if getattr(reading.usage, name) is None:
            setattr(reading.usage, name, getattr(answered.usage, name))


def _read_documents(taken: Taken, reading: Reading, lists: dict[str, Items], issues: set[Issue]) -> None:
    question = taken.take("reranker.query") if "reranker.query" in taken.given else taken.take("input.value")
    taken.text("input.mime_type")
    embeddings = lists["embedding.embeddings"].in_order()
    texts = [item["embedding.text"] for item in embeddings if item.get("embedding.text") is not None]
    if texts:
        reading.messages = user_texts(texts)
    else:
        reading.messages = asked_from(decoded(question, issues), issues).messages
    vectors = sum(1 for item in embeddings if "embedding.vector" in item)
    if vectors:
        reading.attributes["vectors"] = vectors

    documents = [
        {key.removeprefix("document."): decoded(value, issues) for key, value in fields.items()}
        for name in ("retrieval.documents", "reranker.output_documents")
        for fields in lists[name].in_order()
    ]
    if documents:
        reading.output = said(documents)
        taken.take("output.value")
    elif reading.kind is SpanKind.RETRIEVER:
        answer = taken.take("output.value")
        reading.output = None if answer is None else said(answer)
    top = taken.tokens("reranker.top_k")
    if top is not None:
        reading.parameters["top_k"] = top
