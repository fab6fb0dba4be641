"""OpenTelemetry's GenAI conventions since 1.37: JSON attributes on the span, or native arrays."""

from __future__ import annotations

from typing import Any

from slmhub.formats.fields import as_text, text_of
from slmhub.formats.otlp import genai_parts
from slmhub.formats.otlp.genai_parts import is_parts_message, message_of
from slmhub.formats.otlp.reading import Reading
from slmhub.formats.otlp.values import HIDDEN, Taken, decoded, inclusive, said, strings_of, tool_messages
from slmhub.formats.otlp.wire import SpanData
from slmhub.formats.providers.names import finish_of, provider_of
from slmhub.formats.records import Issue, SpanKind, Usage

NAME = "otel_genai"

__all__ = (
    "NAME",
    "claims",
    "is_parts_message",
    "kind_of",
    "message_of",
    "read",
    "scalars_of",
    "took_content",
)

_INPUT, _OUTPUT = "gen_ai.input.messages", "gen_ai.output.messages"
_INSTRUCTIONS, _TOOLS = "gen_ai.system_instructions", "gen_ai.tool.definitions"
_CONTENT = (_INPUT, _OUTPUT, _INSTRUCTIONS, _TOOLS)
# Names that came with 1.37 or later, and those that tell nothing of the generation.
_CLAIMED = (
    "gen_ai.provider.name", *_CONTENT, "gen_ai.tool.name", "gen_ai.conversation.id", "gen_ai.agent.name",
    "gen_ai.agent.id", "gen_ai.workflow.name", "gen_ai.tool.call.id", "gen_ai.data_source.id",
    "mcp.method.name",
)  # fmt: skip
_OPERATIONS = {
    "chat": SpanKind.LLM,
    "text_completion": SpanKind.LLM,
    "generate_content": SpanKind.LLM,
    "embeddings": SpanKind.EMBEDDING,
    "execute_tool": SpanKind.TOOL,
    "retrieval": SpanKind.RETRIEVER,
    "rerank": SpanKind.RETRIEVER,
    "create_agent": SpanKind.AGENT,
    "invoke_agent": SpanKind.AGENT,
    "agent_step": SpanKind.AGENT,
    "invoke_workflow": SpanKind.CHAIN,
    "plan": SpanKind.CHAIN,
    # LiteLLM's names of its own functions, unless it is told to follow the convention.
    "acompletion": SpanKind.LLM,
    "atext_completion": SpanKind.LLM,
    "responses": SpanKind.LLM,
    "aresponses": SpanKind.LLM,
    "aembedding": SpanKind.EMBEDDING,
}
_OF_ALL_GENERATIONS = ("chat", "text_completion", "generate_content", "embeddings")
_REQUEST = ("gen_ai.request.", "gen_ai.openai.request.", "openai.request.")
_QUERIES = ("gen_ai.retrieval.query.text", "gen_ai.retrieval.query", "gen_ai.embeddings.input")
_RENAMED = {"choice.count": "n", "encoding_formats": "encoding_format"}
_NO_PARAMETERS = frozenset(("model", "stream"))
_USAGE = {
    "input": ("gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens"),
    "output": ("gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens"),
    "cached_input": ("gen_ai.usage.cache_read.input_tokens", "gen_ai.usage.cache_read_input_tokens"),
    "cache_write": ("gen_ai.usage.cache_creation.input_tokens", "gen_ai.usage.cache_creation_input_tokens"),
    "reasoning": ("gen_ai.usage.reasoning.output_tokens", "gen_ai.usage.reasoning_tokens"),
}
_ASKED_OR_ANSWERED = (_INPUT, _OUTPUT, *_USAGE["input"], *_USAGE["output"])


def claims(attributes: dict[str, Any]) -> bool:
    operation = attributes.get("gen_ai.operation.name", "chat")
    return any(key in attributes for key in _CLAIMED) or operation not in _OF_ALL_GENERATIONS


def kind_of(attributes: dict[str, Any]) -> SpanKind | None:
    """What `gen_ai.operation.name` says: an agent's name on a chat span is context, no agent span."""
    return _OPERATIONS.get(str(attributes.get("gen_ai.operation.name")))


def read(span: SpanData, issues: set[Issue]) -> Reading:
    taken = Taken(span.attributes)
    reading = scalars_of(taken, issues)
    took_content(reading, taken, issues)
    if reading.kind is SpanKind.TOOL:
        name = taken.text("gen_ai.tool.name")
        call_id = taken.text("gen_ai.tool.call.id")
        arguments = taken.take("gen_ai.tool.call.arguments")
        result = taken.take("gen_ai.tool.call.result")
        reading.name = name
        if not reading.messages:
            reading.messages, answer = tool_messages(
                name or "", call_id, arguments=arguments, result=result, issues=issues
            )
            reading.output = answer or reading.output
    elif reading.kind in (SpanKind.RETRIEVER, SpanKind.EMBEDDING) and not reading.messages:
        query = taken.take(*_QUERIES)
        reading.messages = [{"role": "user", "content": as_text(text)} for text in _listed(query)]
        documents = taken.take("gen_ai.retrieval.documents")
        if documents is not None:
            reading.output = said(documents)
    reading.taken = taken.keys
    return reading


def scalars_of(taken: Taken, issues: set[Issue]) -> Reading:
    """What both generations say in plain attributes; `taken` keeps the keys."""
    counts = {name: taken.tokens(*keys) for name, keys in _USAGE.items()}
    answered = taken.text("gen_ai.response.model")
    asked = text_of(taken.given.get("gen_ai.request.model"))
    # Another model than the one that answered was asked for: then the attribute stays, for it says more.
    if answered is None or asked == answered:
        asked = taken.text("gen_ai.request.model")
    given = next(iter(strings_of(taken.take("gen_ai.response.finish_reasons"), issues)), None)
    first_chunk = taken.number("gen_ai.response.time_to_first_chunk")
    reading = Reading(
        kind=_kind(taken),
        session=taken.text("session.id") or taken.text("gen_ai.conversation.id"),
        agent=taken.text("gen_ai.agent.name"),
        provider=provider_of(taken.text("gen_ai.provider.name", "gen_ai.system")),
        model=answered or asked,
        usage=inclusive(Usage(**counts)),
        finish_reason=finish_of(given),
        finish_reason_given=given,
        response_id=taken.text("gen_ai.response.id"),
        ttft_ms=None if first_chunk is None else first_chunk * 1000,
        streamed=taken.flag("gen_ai.request.stream", "gen_ai.is_streaming", "llm.is_streaming"),
        parameters=_parameters(taken),
    )
    taken.take("gen_ai.operation.name")
    return reading


def _kind(taken: Taken) -> SpanKind | None:
    given = taken.given
    if found := kind_of(given):
        return found
    method = given.get("mcp.method.name")
    if method is not None:
        return SpanKind.TOOL if method == "tools/call" else SpanKind.OTHER
    if "gen_ai.tool.name" in given or "gen_ai.tool.call.id" in given:
        return SpanKind.TOOL
    if "gen_ai.operation.name" in given:
        return None
    # Without an operation only a model and something that it was asked or answered make a model call.
    has_model = "gen_ai.request.model" in given or "gen_ai.response.model" in given
    if has_model and any(key in given for key in _ASKED_OR_ANSWERED):
        return SpanKind.LLM
    return SpanKind.AGENT if "gen_ai.agent.name" in given else None


def _parameters(taken: Taken) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in taken.given.items():
        if not key.startswith(_REQUEST):
            continue
        name = key.partition("request.")[2]
        if name not in _NO_PARAMETERS:
            found[_RENAMED.get(name, name)] = value
            taken.keys.add(key)
    output_type = taken.take("gen_ai.output.type")
    if output_type is not None:
        found["output_type"] = output_type
    return found


def took_content(reading: Reading, taken: Taken, issues: set[Issue]) -> None:
    """Fills in messages, tools and output of the JSON attributes, which a span or an event may carry."""
    if not any(key in taken.given for key in _CONTENT):
        return
    system = genai_parts.instructions_of(_whole(taken, _INSTRUCTIONS, issues), issues)
    messages = genai_parts.messages_of(_listed(_whole(taken, _INPUT, issues)), issues)
    reading.messages = [*system, *messages]
    reading.tools = genai_parts.tools_of(_whole(taken, _TOOLS, issues))
    answers = _listed(_whole(taken, _OUTPUT, issues))
    if len(answers) > 1:
        issues.add(Issue.SEVERAL_CHOICES)
    if answers and isinstance(answers[0], dict):
        answer = answers[0]
        reading.output = message_of({"role": "assistant", **answer}, issues)
        given = answer.get("finish_reason")
        if reading.finish_reason is None and isinstance(given, str):
            reading.finish_reason = finish_of(given)
            reading.finish_reason_given = given
    elif answers:
        reading.output = said(answers[0])
    if taken.hides(*_CONTENT):
        issues.add(Issue.CONTENT_OFF)


def _whole(taken: Taken, key: str, issues: set[Issue]) -> Any:
    """The decoded value; None for JSON that was cut off, which stays a raw attribute."""
    value = decoded(taken.given.get(key), issues)
    if isinstance(value, str) and value.lstrip().startswith(("[", "{")):
        return None
    taken.take(key)
    return None if value == HIDDEN else value


def _listed(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]
