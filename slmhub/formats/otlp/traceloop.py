"""OpenLLMetry (Traceloop): flattened prompts and completions of its older versions, and what only it says."""

from __future__ import annotations

from typing import Any

from slmhub.formats.fields import as_text, text_of
from slmhub.formats.otlp.context import add_context
from slmhub.formats.otlp.flattened import Items, Unflattener
from slmhub.formats.otlp.reading import Reading
from slmhub.formats.otlp.values import Taken, decoded, end, inclusive, tool_messages, unquoted, unwrapped
from slmhub.formats.otlp.wire import SpanData
from slmhub.formats.parts import assistant, reasoning_part, text_part, tool_call
from slmhub.formats.payloads import answered_from, asked_from
from slmhub.formats.providers.names import provider_of
from slmhub.formats.records import Issue, Message, SpanKind, Usage
from slmhub.formats.tools import definition_of

NAME = "traceloop"

_KINDS = {
    "workflow": SpanKind.CHAIN,
    "task": SpanKind.CHAIN,
    "session": SpanKind.CHAIN,
    "agent": SpanKind.AGENT,
    "tool": SpanKind.TOOL,
}
_REQUESTS = {
    "chat": SpanKind.LLM,
    "completion": SpanKind.LLM,
    "embedding": SpanKind.EMBEDDING,
    "rerank": SpanKind.RETRIEVER,
}
_FLATTENED = (
    "gen_ai.prompt.0.role",
    "gen_ai.prompt.0.content",
    "gen_ai.completion.0.content",
    "gen_ai.completion.0.role",
)
_MARKS = (
    "traceloop.span.kind",
    "traceloop.entity.name",
    "traceloop.workflow.name",
    "llm.request.type",
    *_FLATTENED,
)
_OWN = "traceloop."
_ASSOCIATED = "traceloop.association.properties."
_CALLS = {"tool_calls": frozenset({"id", "name", "arguments"})}
_LISTS = Unflattener(
    {
        "gen_ai.prompt": {"": frozenset({"role", "content", "tool_call_id"}), **_CALLS},
        "gen_ai.completion": {"": frozenset({"role", "content", "finish_reason", "reasoning"}), **_CALLS},
        "llm.request.functions": {"": frozenset({"name", "description", "parameters", "arguments"})},
    }
)
_PARAMETERS = {
    "gen_ai.request.temperature": "temperature",
    "gen_ai.request.top_p": "top_p",
    "gen_ai.request.max_tokens": "max_tokens",
    "llm.top_k": "top_k",
    "llm.frequency_penalty": "frequency_penalty",
    "llm.presence_penalty": "presence_penalty",
    "llm.chat.stop_sequences": "stop",
    "llm.request.reasoning_effort": "reasoning_effort",
}
_MODEL = ("gen_ai.response.model", "gen_ai.request.model", "llm.response.model", "llm.request.model")
_COUNT = "gen_ai.usage."
_USAGE = {
    "input": (_COUNT + "input_tokens", _COUNT + "prompt_tokens"),
    "output": (_COUNT + "output_tokens", _COUNT + "completion_tokens"),
    "cached_input": (_COUNT + "cache_read.input_tokens", _COUNT + "cache_read_input_tokens"),
    "cache_write": (_COUNT + "cache_creation.input_tokens", _COUNT + "cache_creation_input_tokens"),
    "reasoning": (_COUNT + "reasoning_tokens", "llm.usage.reasoning_tokens"),
}
_SCHEMAS = ("gen_ai.request.structured_output_schema", "llm.request.structured_output_schema")
_BLOCKS = frozenset(
    {"text", "image_url", "image", "tool_use", "tool_result", "thinking", "input_text", "input_image", "file"}
)


def claims(attributes: dict[str, Any]) -> bool:
    if any(mark in attributes for mark in _MARKS):
        return True
    # Of its newer versions only the association properties are its own; their names are the program's.
    return "gen_ai.operation.name" in attributes and any(key.startswith(_OWN) for key in attributes)


def read(span: SpanData, issues: set[Issue]) -> Reading:
    taken = Taken(span.attributes)
    request = _REQUESTS.get(taken.text("llm.request.type") or "")
    entity = _KINDS.get((taken.text("traceloop.span.kind") or "").lower())
    kind = request or entity
    if kind is None and any(mark in taken.given for mark in _FLATTENED):
        kind = SpanKind.LLM
    # The total is the sum of the two below: understood, and not needed.
    taken.tokens("llm.usage.total_tokens")
    taken.tokens("gen_ai.usage.total_tokens")
    reading = Reading(
        kind=kind,
        provider=provider_of(taken.text("gen_ai.provider.name", "gen_ai.system")),
        model=taken.text(*_MODEL),
        streamed=taken.flag("gen_ai.is_streaming", "llm.is_streaming"),
        usage=inclusive(Usage(**{name: taken.tokens(*keys) for name, keys in _USAGE.items()})),
        response_id=taken.text("gen_ai.response.id"),
    )
    for key, name in _PARAMETERS.items():
        value = taken.take(key)
        if value is not None:
            reading.parameters[name] = value
    schema = decoded(taken.take(*_SCHEMAS), issues)
    if schema is not None:
        reading.parameters["response_format"] = {"type": "json_schema", "json_schema": {"schema": schema}}
    add_context(reading, taken.under(_ASSOCIATED), issues)

    lists = _LISTS.lists_of(taken)
    for item in lists["llm.request.functions"].in_order():
        tool = _tool_of(item, issues)
        if tool is not None:
            reading.tools.append(tool)
    reading.messages = [_message_of(fields, issues) for fields in lists["gen_ai.prompt"].in_order()]
    if any(isinstance(message["content"], list) for message in reading.messages):
        # Lists of parts were written as JSON in the provider's own shape, which its reader knows.
        asked = asked_from({"messages": reading.messages}, issues)
        reading.messages = asked.messages or reading.messages
    completions = lists["gen_ai.completion"].in_order()
    reading.output = _output_of(completions, issues)
    for fields in completions:
        if "finish_reason" in fields:
            end(reading, text_of(fields["finish_reason"]))
            break
    _read_entity(span, taken, reading, issues)
    reading.taken = taken.keys
    return reading


def _tool_of(fields: dict[str, Any], issues: set[Issue]) -> dict[str, Any] | None:
    name = text_of(fields.get("name"))
    if name is None:
        return None
    parameters = decoded(fields.get("parameters", fields.get("arguments")), issues)
    return definition_of({"name": name, "description": fields.get("description"), "parameters": parameters})


def _message_of(fields: dict[str, Any], issues: set[Issue]) -> Message:
    given = fields.get("content")
    content = decoded(given, issues)
    if not _are_blocks(content):
        content = None if given is None else as_text(given)
    calls = _calls_of(fields, issues)
    role = text_of(fields.get("role")) or ("assistant" if calls else "user")
    message: Message = {"role": role, "content": content}
    if calls:
        message["tool_calls"] = calls
    call_id = text_of(fields.get("tool_call_id"))
    if call_id is not None:
        message["tool_call_id"] = call_id
    return message


def _are_blocks(content: Any) -> bool:
    """Whether a decoded content is a list of typed parts, rather than JSON that someone said."""
    if not isinstance(content, list) or not content:
        return False
    return all(
        isinstance(block, dict) and isinstance(block.get("type"), str) and block["type"] in _BLOCKS
        for block in content
    )


def _calls_of(fields: dict[str, Any], issues: set[Issue]) -> list[dict[str, Any]]:
    items = fields.get("tool_calls")
    if not isinstance(items, Items):
        return []
    calls = []
    for call in items.in_order():
        arguments = call.get("arguments")
        written = None if arguments is None else as_text(arguments)
        calls.append(tool_call(text_of(call.get("id")), text_of(call.get("name")), written, issues))
    return calls


def _output_of(completions: list[dict[str, Any]], issues: set[Issue]) -> Message | None:
    """The first choice; what stands before it with the role "thinking" is its reasoning."""
    if not completions:
        return None
    thoughts = [fields for fields in completions if fields.get("role") == "thinking"]
    choices = [fields for fields in completions if fields.get("role") != "thinking"]
    if len(choices) > 1:
        issues.add(Issue.SEVERAL_CHOICES)
    choice = choices[0] if choices else {}
    reasoning = [as_text(thought["content"]) for thought in thoughts if thought.get("content")]
    if choice.get("reasoning"):
        reasoning.append(as_text(choice["reasoning"]))
    content = _message_of({**choice, "role": "assistant"}, issues)["content"]
    parts = [text_part(content)] if isinstance(content, str) else list(content or ())
    message = assistant([*map(reasoning_part, reasoning), *parts], _calls_of(choice, issues))
    if content == "" and not reasoning:
        message["content"] = ""
    return message


def _read_entity(span: SpanData, taken: Taken, reading: Reading, issues: set[Issue]) -> None:
    name = text_of(taken.given.get("traceloop.entity.name"))
    if reading.kind is SpanKind.AGENT:
        reading.agent = name
    asked = taken.take("traceloop.entity.input")
    answered = taken.take("traceloop.entity.output")
    if reading.kind is SpanKind.TOOL:
        reading.name = taken.text("traceloop.entity.name") or span.name
        reading.messages, reading.output = tool_messages(
            reading.name,
            None,
            arguments=_inner(asked, issues),
            result=_result(answered, issues),
            issues=issues,
        )
        return
    if asked is not None and not reading.messages:
        reading.messages = asked_from(_inner(asked, issues), issues).messages
    if answered is not None and reading.output is None:
        reading.output = answered_from(_result(answered, issues), issues).output


def _inner(given: Any, issues: set[Issue]) -> Any:
    """LangChain's callbacks wrap the inputs among tags and metadata, a decorator in args and kwargs."""
    value = decoded(given, issues)
    if (
        isinstance(value, dict)
        and "inputs" in value
        and value.keys() <= {"inputs", "tags", "metadata", "kwargs"}
    ):
        return value["inputs"]
    return unwrapped(given, issues)


def _result(given: Any, issues: set[Issue]) -> Any:
    value = decoded(given, issues)
    if isinstance(value, dict) and "outputs" in value and value.keys() <= {"outputs", "kwargs"}:
        return value["outputs"]
    return unquoted(given)
