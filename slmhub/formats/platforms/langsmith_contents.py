"""What a LangSmith run was asked and what it answered, in the shapes that its inputs and outputs take."""

from __future__ import annotations

from typing import Any

from slmhub.formats.fields import first_text, object_in, objects_in
from slmhub.formats.parts import assistant, tool_call, tool_result
from slmhub.formats.payloads import answered_from, asked_from
from slmhub.formats.platforms import langchain_messages
from slmhub.formats.platforms.langchain_answers import answered_in_generations, usage_of
from slmhub.formats.platforms.spans import texts_asked, tidied, vectors_in
from slmhub.formats.providers.shapes import Answered, Asked
from slmhub.formats.records import Issue, SpanKind, Usage
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
        arguments = given["input"] if isinstance(given, dict) and set(given) == {"input"} else given
        if arguments in (None, {}, ""):
            return Asked()
        if isinstance(arguments, dict) and set(arguments) >= {"args", "name"}:
            arguments = arguments["args"]
        call = tool_call(_call_id(run), run.get("name"), arguments, issues)
        return Asked(messages=[assistant([], [call])])
    if kind is SpanKind.EMBEDDING:
        return Asked(messages=texts_asked(given), model=first_text([object_in(given)], ("model",)))
    asked = Asked() if given in (None, {}, "") else asked_from(_first_of_batch(_unwrapped(given)), issues)
    if kind is SpanKind.LLM:
        noted = {key: value for key, value in invocation.items() if value is not None}
        tools = noted.get("tools") or noted.get("functions")
        if not asked.tools:
            asked.tools = [definition_of(tool) for tool in objects_in(tools)]
        asked.model = asked.model or first_text([noted], _MODEL_KEYS)
        asked.streamed = asked.streamed or noted.get("stream") is True
        parameters = {key: value for key, value in noted.items() if key not in _NO_PARAMETERS}
        # What the request itself says counts before what was noted beside it.
        parameters |= {key: value for key, value in asked.parameters.items() if value is not None}
        asked.parameters = parameters
    asked.messages = [tidied(message) for message in asked.messages]
    return asked


def answered_of(kind: SpanKind, run: dict[str, Any], issues: set[Issue]) -> Answered:
    outputs = run.get("outputs")
    if outputs in (None, {}, "", []):
        return Answered()
    if kind is SpanKind.TOOL:
        given = _unwrapped(outputs)
        if langchain_messages.is_message(given):
            given = langchain_messages.fields_of(given).get("content")
        elif isinstance(given, dict) and set(given) == {"output"}:
            given = given["output"]
        return Answered(
            output=tool_result(_call_id(run), given if given is not None else "", run.get("name"))
        )
    if kind is SpanKind.EMBEDDING:
        return Answered(attributes={"vectors": vectors_in(outputs)})
    if generated := answered_in_generations(outputs, issues):
        return generated
    answered = answered_from(_mended(_unwrapped(outputs)), issues)
    answered.output = tidied(answered.output) if answered.output else None
    if answered.usage == Usage():
        answered.usage = usage_of(object_in(outputs).get("usage_metadata"))
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


def _mended(outputs: Any) -> Any:
    """The JS SDK writes the whole last chunk where the finish reason of a streamed answer belongs."""
    choices = object_in(outputs).get("choices")
    if not isinstance(choices, list):
        return outputs
    mended = []
    for choice in choices:
        last_chunk = object_in(choice).get("finish_reason")
        if isinstance(last_chunk, dict):
            choice = {**choice, "finish_reason": last_chunk.get("finish_reason")}
        mended.append(choice)
    return {**outputs, "choices": mended}


def _call_id(run: dict[str, Any]) -> str | None:
    inputs = object_in(run.get("inputs"))
    output = object_in(object_in(run.get("outputs")).get("output"))
    metadata = object_in(object_in(run.get("extra")).get("metadata"))
    answer = langchain_messages.fields_of(output) if output else {}
    named = first_text([answer, metadata, inputs], ("tool_call_id",))
    return named or first_text([inputs, object_in(inputs.get("input"))], ("id",))
