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
    reading = _reading_of(taken, issues)
    add_context(reading, taken.under(_ASSOCIATED), issues)
    lists = _LISTS.lists_of(taken)
    reading.tools = [
        tool for item in lists["llm.request.functions"].in_order() if (tool := _tool_of(item, issues))
    ]
    reading.messages = _messages_of(lists["gen_ai.prompt"], issues)
    completions = lists["gen_ai.completion"].in_order()
    reading.output = _output_of(completions, issues)
    ended = next((fields["finish_reason"] for fields in completions if "finish_reason" in fields), None)
    end(reading, text_of(ended))
    _read_entity(span, taken, reading, issues)
    reading.taken = taken.keys
    return reading


def _reading_of(taken: Taken, issues: set[Issue]) -> Reading:
    return Reading(
        kind=_kind_of(taken),
        provider=provider_of(taken.text("gen_ai.provider.name", "gen_ai.system")),
        model=taken.text(
            "gen_ai.response.model", "gen_ai.request.model", "llm.response.model", "llm.request.model"
        ),
        parameters=_parameters_of(taken, issues),
        streamed=taken.flag("gen_ai.is_streaming", "llm.is_streaming"),
        usage=_usage_of(taken),
        response_id=taken.text("gen_ai.response.id"),
    )


def _kind_of(taken: Taken) -> SpanKind | None:
    request = _REQUESTS.get(taken.text("llm.request.type") or "")
    kind = _KINDS.get((taken.text("traceloop.span.kind") or "").lower())
    if request or kind:
        return request or kind
    flattened = any(mark in taken.given for mark in _FLATTENED)
    return SpanKind.LLM if flattened else None


def _parameters_of(taken: Taken, issues: set[Issue]) -> dict[str, Any]:
    parameters = {name: value for key, name in _PARAMETERS.items() if (value := taken.take(key)) is not None}
    schema = decoded(taken.take(*_SCHEMAS), issues)
    if schema is not None:
        parameters["response_format"] = {"type": "json_schema", "json_schema": {"schema": schema}}
    return parameters


def _usage_of(taken: Taken) -> Usage:
    taken.tokens("llm.usage.total_tokens")
    taken.tokens("gen_ai.usage.total_tokens")
    return inclusive(
        Usage(
            input=taken.tokens("gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens"),
            output=taken.tokens("gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens"),
            cached_input=taken.tokens(
                "gen_ai.usage.cache_read.input_tokens", "gen_ai.usage.cache_read_input_tokens"
            ),
            cache_write=taken.tokens(
                "gen_ai.usage.cache_creation.input_tokens", "gen_ai.usage.cache_creation_input_tokens"
            ),
            reasoning=taken.tokens("gen_ai.usage.reasoning_tokens", "llm.usage.reasoning_tokens"),
        )
    )


def _tool_of(fields: dict[str, Any], issues: set[Issue]) -> dict[str, Any] | None:
    name = text_of(fields.get("name"))
    if name is None:
        return None
    parameters = decoded(fields.get("parameters", fields.get("arguments")), issues)
    return definition_of({"name": name, "description": fields.get("description"), "parameters": parameters})


def _messages_of(items: Items, issues: set[Issue]) -> list[Message]:
    messages = [_message_of(fields, issues) for fields in items.in_order()]
    if not any(isinstance(message["content"], list) for message in messages):
        return messages
    # Lists of parts were written as JSON in the provider's own shape, which its reader knows.
    return asked_from({"messages": messages}, issues).messages or messages


def _message_of(fields: dict[str, Any], issues: set[Issue]) -> Message:
    calls = _calls_of(fields, issues)
    role = text_of(fields.get("role")) or ("assistant" if calls else "user")
    message: Message = {"role": role, "content": _content_of(fields.get("content"), issues)}
    if calls:
        message["tool_calls"] = calls
    if (call_id := text_of(fields.get("tool_call_id"))) is not None:
        message["tool_call_id"] = call_id
    return message


def _content_of(content: Any, issues: set[Issue]) -> str | list[Any] | None:
    found = decoded(content, issues)
    if isinstance(found, list) and found and all(_is_block(block) for block in found):
        return found
    return None if content is None else as_text(content)


def _is_block(block: Any) -> bool:
    return isinstance(block, dict) and isinstance(block.get("type"), str) and block["type"] in _BLOCKS


def _calls_of(fields: dict[str, Any], issues: set[Issue]) -> list[dict[str, Any]]:
    items = fields.get("tool_calls")
    if not isinstance(items, Items):
        return []
    return [
        tool_call(text_of(call.get("id")), text_of(call.get("name")), _written(call.get("arguments")), issues)
        for call in items.in_order()
    ]


def _written(arguments: Any) -> str | None:
    return None if arguments is None else as_text(arguments)


def _output_of(completions: list[dict[str, Any]], issues: set[Issue]) -> Message | None:
    """The first choice; what stands before it with the role "thinking" is its reasoning."""
    thoughts = [fields for fields in completions if fields.get("role") == "thinking"]
    choices = [fields for fields in completions if fields.get("role") != "thinking"]
    if len(choices) > 1:
        issues.add(Issue.SEVERAL_CHOICES)
    if not completions:
        return None
    fields = choices[0] if choices else {}
    reasoning = [as_text(text) for thought in thoughts if (text := thought.get("content"))]
    reasoning += [as_text(fields["reasoning"])] if fields.get("reasoning") else []
    content = _message_of({**fields, "role": "assistant"}, issues)["content"]
    parts = [text_part(content)] if isinstance(content, str) else list(content or ())
    message = assistant([*map(reasoning_part, reasoning), *parts], _calls_of(fields, issues))
    if content == "" and not reasoning:
        message["content"] = ""
    return message


def _read_entity(span: SpanData, taken: Taken, reading: Reading, issues: set[Issue]) -> None:
    name = text_of(taken.given.get("traceloop.entity.name"))
    if reading.kind is SpanKind.AGENT:
        reading.agent = name
    asked, answered = taken.take("traceloop.entity.input"), taken.take("traceloop.entity.output")
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
