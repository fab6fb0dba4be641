"""What a LangSmith run was asked and what it answered, in the shapes that its inputs and outputs take."""

from __future__ import annotations

from typing import Any

from slmhub.formats.fields import first_text, object_in
from slmhub.formats.parts import assistant, tool_call, tool_result
from slmhub.formats.payloads import answered_from, asked_from
from slmhub.formats.platforms import langchain_messages
from slmhub.formats.platforms.langchain_answers import answered_in_generations, usage_of
from slmhub.formats.platforms.spans import texts_asked, tidied, vectors_in
from slmhub.formats.providers.shapes import Answered, Asked
from slmhub.formats.records import Issue, Message, SpanKind, Usage
from slmhub.formats.tools import definition_of

_ONLY_TEXTS = ("input", "inputs", "question", "query", "prompt", "output", "answer", "result", "text")
_MODEL_KEYS = ("model", "model_name", "model_id")
_NO_PARAMETERS = frozenset(
    {"_type", "messages", "tools", "functions", "prompt", "input", "stream", *_MODEL_KEYS},
)


def asked_of(kind: SpanKind, run: dict[str, Any], invocation: dict[str, Any], issues: set[Issue]) -> Asked:
    """`invocation` holds the parameters that LangChain notes beside the inputs."""
    given = run.get("inputs")
    if kind is SpanKind.TOOL:
        return Asked(messages=_tool_messages(run, issues))
    if kind is SpanKind.EMBEDDING:
        return Asked(messages=texts_asked(given), model=first_text([object_in(given)], ("model",)))
    asked = Asked() if given in (None, {}, "") else asked_from(_first_of_batch(_unwrapped(given)), issues)
    if kind is SpanKind.LLM:
        _add_invocation(asked, invocation)
    asked.messages = [tidied(message) for message in asked.messages]
    return asked


def answered_of(kind: SpanKind, run: dict[str, Any], issues: set[Issue]) -> Answered:
    given = run.get("outputs")
    if given in (None, {}, "", []):
        return Answered()
    if kind is SpanKind.TOOL:
        return Answered(output=_tool_output(run))
    if kind is SpanKind.EMBEDDING:
        return Answered(attributes={"vectors": vectors_in(given)})
    if generated := answered_in_generations(given, issues):
        return generated
    answered = answered_from(_mended(_unwrapped(given)), issues)
    answered.output = tidied(answered.output) if answered.output else None
    if answered.usage == Usage():
        answered.usage = usage_of(object_in(given).get("usage_metadata"))
    return answered


def _unwrapped(value: Any) -> Any:
    """`{"output": "text"}` says no more than the text."""
    if isinstance(value, dict) and len(value) == 1:
        key, inner = next(iter(value.items()))
        if key in _ONLY_TEXTS and (isinstance(inner, str) or langchain_messages.is_message(inner)):
            return inner
    return value


def _first_of_batch(value: Any) -> Any:
    """LangChain's model runs hold a batch of one: messages in a list in a list."""
    if not isinstance(value, dict):
        return value
    messages, prompts = value.get("messages"), value.get("prompts")
    if isinstance(messages, list) and messages and isinstance(messages[0], list):
        return {**value, "messages": messages[0]}
    if isinstance(prompts, list) and prompts and isinstance(prompts[0], str):
        return prompts[0]
    return value


def _add_invocation(asked: Asked, invocation: dict[str, Any]) -> None:
    given = {key: value for key, value in invocation.items() if value is not None}
    tools = given.get("tools") or given.get("functions")
    if not asked.tools and isinstance(tools, list):
        asked.tools = [definition_of(tool) for tool in tools if isinstance(tool, dict)]
    asked.model = asked.model or first_text([given], _MODEL_KEYS)
    asked.streamed = asked.streamed or given.get("stream") is True
    beside = {key: value for key, value in given.items() if key not in _NO_PARAMETERS}
    asked.parameters = {
        **beside,
        **{key: value for key, value in asked.parameters.items() if value is not None},
    }


def _mended(outputs: Any) -> Any:
    """The JS SDK writes the whole last chunk where the finish reason of a streamed answer belongs."""
    choices = object_in(outputs).get("choices")
    if not isinstance(choices, list):
        return outputs
    return {**outputs, "choices": [_mended_choice(choice) for choice in choices]}


def _mended_choice(choice: Any) -> Any:
    reason = object_in(choice).get("finish_reason")
    return {**choice, "finish_reason": reason.get("finish_reason")} if isinstance(reason, dict) else choice


def _tool_messages(run: dict[str, Any], issues: set[Issue]) -> list[Message]:
    given = run.get("inputs")
    arguments = given["input"] if isinstance(given, dict) and set(given) == {"input"} else given
    if arguments in (None, {}, ""):
        return []
    if isinstance(arguments, dict) and set(arguments) >= {"args", "name"}:
        arguments = arguments["args"]
    return [assistant([], [tool_call(_call_id(run), run.get("name"), arguments, issues)])]


def _tool_output(run: dict[str, Any]) -> Message:
    given = _unwrapped(run.get("outputs"))
    if langchain_messages.is_message(given):
        given = langchain_messages.fields_of(given).get("content")
    elif isinstance(given, dict) and set(given) == {"output"}:
        given = given["output"]
    return tool_result(_call_id(run), given if given is not None else "", run.get("name"))


def _call_id(run: dict[str, Any]) -> str | None:
    given = object_in(run.get("inputs"))
    inner, output = object_in(given.get("input")), object_in(object_in(run.get("outputs")).get("output"))
    message = langchain_messages.fields_of(output) if output else {}
    return (
        first_text([message], ("tool_call_id",))
        or first_text([object_in(object_in(run.get("extra")).get("metadata")), given], ("tool_call_id",))
        or first_text([given, inner], ("id",))
    )
