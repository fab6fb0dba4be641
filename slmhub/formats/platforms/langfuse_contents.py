"""What an observation of Langfuse was asked and what it answered."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from slmhub.formats.fields import as_text, either, first_text, json_or_text, object_in, objects_in, text_of
from slmhub.formats.foreign_json import NotJsonError, decode
from slmhub.formats.parts import assistant, text_part, tool_call, tool_result
from slmhub.formats.payloads import answered_from, asked_from
from slmhub.formats.platforms import langchain_messages
from slmhub.formats.platforms.spans import texts_asked, tidied, vectors_in
from slmhub.formats.providers.names import finish_of
from slmhub.formats.providers.shapes import Answered, Asked
from slmhub.formats.records import Issue, Message, SpanKind
from slmhub.formats.tools import definition_of

Json = dict[str, Any]

_NOT_GIVEN: tuple[Any, ...] = (None, "", "null", [], {})
_ASKED_KEYS = {"system", "tools", "functions", "model", "model_name", "messages", "instructions", "input"}
# The openai-agents instrumentation writes the whole response object as the parameters of the call.
_ANSWERED_KEYS = {
    "id",
    "object",
    "created_at",
    "completed_at",
    "output",
    "usage",
    "status",
    "error",
    "metadata",
}
_NO_PARAMETERS = frozenset({"finishReason", "metadata", "incomplete_details", *_ASKED_KEYS, *_ANSWERED_KEYS})
# No set: the type that a foreign object names may be a list, which no set can be asked for.
_ITEMS = ("function_call", "function_call_output", "reasoning", "item_reference", "custom_tool_call")
_CALL_ID_KEYS = ("gen_ai.tool.call.id", "ai.toolCall.id", "tool_call.id", "tool.id")
_TOOL_KEYS = ("gen_ai.tool.definitions", "ai.prompt.tools")


def decoded(value: Any) -> Any:
    """The export writes JSON into strings, a text sometimes as a JSON string."""
    if not isinstance(value, str):
        return value
    if value == "null":
        return None
    if len(value) > 1 and value[0] == value[-1] == '"':
        try:
            return decode(value)
        except NotJsonError:
            return value
    return json_or_text(value)


def asked_of(kind: SpanKind, body: Json, hints: Json, issues: set[Issue]) -> Asked:
    """`hints` are the attributes of the OTLP span that the observation was made of."""
    given = decoded(body.get("input"))
    if kind is SpanKind.TOOL:
        return Asked(messages=_tool_messages(body, hints, issues))
    if kind is SpanKind.EMBEDDING:
        return Asked(messages=texts_asked(given))
    given = _called_with(given)
    definitions: list[Json] = []
    if isinstance(given, list) and any(object_in(item).get("type") in _ITEMS for item in given):
        # Items of OpenAI's Responses, which are no chat messages.
        given = {"input": given}
    elif isinstance(given, list):
        # Langfuse's LangChain handler appends the tool definitions to the messages, with a tool's role.
        definitions = [item["content"] for item in given if _is_definition(item)]
        given = [_with_content(item) for item in given if not _is_definition(item)]
    asked = Asked() if given in _NOT_GIVEN else asked_from(given, issues)
    if kind is SpanKind.LLM:
        _add_beside(asked, body, hints, definitions, issues)
    asked.messages = [tidied(message) for message in asked.messages]
    return asked


def answered_of(kind: SpanKind, body: Json, hints: Json, issues: set[Issue]) -> Answered:
    given = decoded(body.get("output"))
    if kind is SpanKind.TOOL:
        return Answered(output=_tool_output(body, hints))
    if kind is SpanKind.EMBEDDING:
        return Answered(attributes={"vectors": vectors_in(given)} if given not in _NOT_GIVEN else {})
    choice = given if isinstance(given, dict) and isinstance(given.get("message"), dict) else {}
    called = _vercel_message(given, issues)
    if called:
        answered = Answered(output=called)
    else:
        answered = Answered() if given in _NOT_GIVEN else answered_from(choice.get("message", given), issues)
    answered.output = tidied(answered.output) if answered.output else None
    if answered.finish_reason is None:
        reason = first_text([choice], ("finish_reason",)) or _finish_beside(body, hints)
        answered.finish_reason = finish_of(reason)
        answered.finish_reason_given = reason if reason != answered.finish_reason else None
    return answered


def _finish_beside(body: Json, hints: Json) -> str | None:
    reasons = decoded(hints.get("gen_ai.response.finish_reasons"))
    if isinstance(reasons, list) and reasons:
        return text_of(reasons[0])
    parameters = object_in(decoded(body.get("modelParameters")))
    return first_text([hints], ("ai.response.finishReason",)) or first_text([parameters], ("finishReason",))


def is_tool_result(body: Json) -> bool:
    """LangChain's tools come as plain spans; the message that they answer says what they are."""
    given = object_in(decoded(body.get("output")))
    return given.get("type") == "tool" and isinstance(given.get("tool_call_id"), str)


def _called_with(given: Any) -> Any:
    """`{args, kwargs}` of a decorated function: the request is one of the two."""
    if not isinstance(given, dict) or not given.keys() <= {"args", "kwargs"}:
        return given
    args, kwargs = given.get("args"), object_in(given.get("kwargs"))
    if isinstance(args, list) and len(args) == 1 and not kwargs:
        return args[0]
    return kwargs if kwargs and not args else given


def _with_content(item: Any) -> Any:
    """BeeAI's messages hold their text as `text`."""
    if not isinstance(item, dict) or "role" not in item or "content" in item:
        return item
    if not isinstance(item.get("text"), str):
        return item
    message = {key: value for key, value in item.items() if key != "text"}
    return {**message, "content": item["text"]}


def _is_definition(item: Any) -> bool:
    if not isinstance(item, dict) or item.get("role") != "tool" or "tool_call_id" in item:
        return False
    content = item.get("content")
    return isinstance(content, dict) and isinstance(content.get("function"), dict)


def _vercel_message(given: Any, issues: set[Issue]) -> Message | None:
    """Vercel's answers: `[{toolCallId, toolName, input}]`, or `{text, toolCalls}`."""
    text = given.get("text") if isinstance(given, dict) else None
    found = objects_in(decoded(given.get("toolCalls") if isinstance(given, dict) else given))
    if not found or not all("toolCallId" in call and "toolName" in call for call in found):
        return None
    calls = [
        tool_call(call["toolCallId"], call["toolName"], either(call, "input", "args"), issues)
        for call in found
    ]
    return assistant([text_part(text)] if isinstance(text, str) and text else [], calls)


def _add_beside(asked: Asked, body: Json, hints: Json, definitions: list[Json], issues: set[Issue]) -> None:
    """Parameters, tools and a system prompt that stand apart from the messages of a model call."""
    response = object_in(decoded(body.get("output")))
    parameters = object_in(decoded(body.get("modelParameters")))
    for key, value in parameters.items():
        if value not in _NOT_GIVEN and key not in _NO_PARAMETERS:
            asked.parameters[key] = value
    if not asked.tools:
        found = definitions or next(
            (tools for tools in _tool_lists(body, parameters, hints, response) if tools), []
        )
        asked.tools = [definition_of(tool) for tool in found]
    if any(message.get("role") in ("system", "developer") for message in asked.messages):
        return
    apart = decoded(hints.get("gen_ai.system_instructions"))
    text = response.get("instructions") if response.get("object") == "response" else None
    if isinstance(apart, list) and apart:
        system = asked_from([{"role": "system", "parts": apart}], issues).messages
        asked.messages = [*system, *asked.messages]
    elif isinstance(text, str) and text:
        asked.messages = [{"role": "system", "content": text}, *asked.messages]


def _tool_lists(body: Json, parameters: Json, hints: Json, response: Json) -> Iterator[list[Json]]:
    metadata = object_in(decoded(body.get("metadata")))
    yield _tools_in(metadata.get("tools"))
    yield _tools_in(parameters.get("tools") or parameters.get("functions"))
    for key in _TOOL_KEYS:
        yield _tools_in(hints.get(key))
    yield [
        object_in(decoded(value))
        for key, value in hints.items()
        if key.startswith("llm.tools.") and key.endswith(".json_schema")
    ]
    yield _tools_in(response.get("tools"))
    stored = object_in(decoded(body.get("toolDefinitions")))
    yield [{"name": name, **object_in(decoded(about))} for name, about in stored.items()]


def _tools_in(value: Any) -> list[Json]:
    given = decoded(value)
    return objects_in([decoded(item) for item in given]) if isinstance(given, list) else []


def _tool_messages(body: Json, hints: Json, issues: set[Issue]) -> list[Message]:
    given = body.get("input")
    if given in _NOT_GIVEN:
        return []
    noted = object_in(decoded(body.get("metadata"))).get("inputs")
    if isinstance(noted, dict) and isinstance(decoded(given), str):
        # LangChain writes the input of a tool as Python does, and notes what it was.
        given = noted
    return [assistant([], [tool_call(_call_id(body, hints), tool_name(body, hints), given, issues)])]


def _tool_output(body: Json, hints: Json) -> Message | None:
    given = decoded(body.get("output"))
    if given is None:
        return None
    if langchain_messages.is_message(given):
        given = langchain_messages.fields_of(given).get("content")
    elif isinstance(body.get("output"), str) and not isinstance(given, str):
        given = body["output"]
    return tool_result(_call_id(body, hints), given, tool_name(body, hints))


def tool_name(body: Json, hints: Json) -> str:
    named = first_text([hints], ("gen_ai.tool.name", "ai.toolCall.name", "tool.name"))
    return named or as_text(body.get("name") or "")


def _call_id(body: Json, hints: Json) -> str | None:
    message = object_in(decoded(body.get("output")))
    return first_text([hints], _CALL_ID_KEYS) or first_text([message], ("tool_call_id",))
