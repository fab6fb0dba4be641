"""Amazon Bedrock's InvokeModel: the body is each model family's own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from slmhub.formats import parts
from slmhub.formats.fields import Json, as_text, first_in, object_in, objects_in, text_of, tokens_of, without
from slmhub.formats.providers import anthropic, bedrock_converse, names, openai_chat, openai_completions
from slmhub.formats.providers.bodies import error_in
from slmhub.formats.providers.shapes import Answered, Asked
from slmhub.formats.records import Issue, Message, Usage

NAME = "bedrock_invoke"
PROVIDER = "aws_bedrock"


class Family(Protocol):
    """The module of a provider whose models Amazon offers, too."""

    def is_request(self, body: Json) -> bool: ...

    def is_response(self, body: Json) -> bool: ...

    def is_event(self, event: Json) -> bool: ...

    def asked(self, body: Json, issues: set[Issue]) -> Asked: ...

    def answered(self, body: Json, issues: set[Issue]) -> Answered: ...

    def fold_events(self, events: list[Json]) -> Json: ...


_FAMILIES: tuple[Family, ...] = (anthropic, bedrock_converse, openai_chat)
_ANSWERING: tuple[Family, ...] = (*_FAMILIES, openai_completions)
_PROMPT_KEYS = ("prompt", "inputText", "message")
_CARRIED = frozenset(
    {*_PROMPT_KEYS, "chat_history", "preamble", "textGenerationConfig", "tools", "tool_results", "system"}
)
_ROLES = {"USER": "user", "CHATBOT": "assistant", "SYSTEM": "system", "TOOL": "tool"}
_STREAM_COUNTS = "amazon-bedrock-invocationMetrics"

Found = tuple[str, str | None, tuple[str, ...]] | None


def is_request(body: Json) -> bool:
    """Only what no other provider is asked: the address says the rest."""
    version = body.get("anthropic_version")
    return (
        "textGenerationConfig" in body
        or "max_gen_len" in body
        or (isinstance(version, str) and version.startswith("bedrock"))
        or (body.get("schemaVersion") == "messages-v1" and isinstance(body.get("messages"), list))
        or ("inputText" in body and isinstance(body["inputText"], str))
        or ("message" in body and "chat_history" in body)
    )


def is_response(body: Json) -> bool:
    return _text_answer(body) is not None


def is_event(event: Json) -> bool:
    return "outputText" in event or ("generation" in event and "generation_token_count" in event)


def asked(body: Json, issues: set[Issue]) -> Asked:
    """Raises MalformedError."""
    if isinstance(body.get("messages"), list):
        family = next((known for known in _FAMILIES if known.is_request(body)), anthropic)
        return family.asked(body, issues)
    messages: list[Message] = []
    preamble = body.get("preamble") or body.get("system")
    if preamble:
        messages.append({"role": "system", "content": as_text(preamble)})
    for turn in objects_in(body.get("chat_history")):
        role = _ROLES.get(str(turn.get("role")).upper(), "user")
        messages.append({"role": role, "content": as_text(turn.get("message") or "")})
    # Cohere's calls have no ids: the name links a call with its result.
    for result in objects_in(body.get("tool_results")):
        name = object_in(result.get("call")).get("name")
        messages.append(parts.tool_result(f"function_{name}", result.get("outputs"), name))
    for key in _PROMPT_KEYS:
        if body.get(key) not in (None, ""):
            messages.append({"role": "user", "content": as_text(body[key])})
            break
    tools = []
    for tool in objects_in(body.get("tools")):
        schema = tool.get("parameter_definitions")
        is_coheres = "parameter_definitions" in tool
        made = parts.function_tool(tool.get("name"), tool.get("description"), schema)
        tools.append(made if is_coheres else tool)
    return Asked(
        messages=messages,
        tools=tools,
        parameters={
            **object_in(body.get("textGenerationConfig")),
            **{key: value for key, value in body.items() if key not in _CARRIED},
        },
    )


def answered(body: Json, issues: set[Issue]) -> Answered:
    """Raises MalformedError."""
    found = _text_answer(body)
    if found is None:
        family = next((known for known in _ANSWERING if known.is_response(body)), None)
        if family is None:
            return Answered(error=error_in(body), attributes=without(body, frozenset({"error"})))
        answer = family.answered(body, issues)
        given = answer.finish_reason or text_of(first_in(body.get("choices")).get("stop_reason"))
        answer.finish_reason = names.finish_of(given)
        return answer
    text, given, understood = found
    finish = names.finish_of(given)
    calls = [
        parts.tool_call(f"function_{call.get('name')}", call.get("name"), call.get("parameters"), issues)
        for call in objects_in(body.get("tool_calls"))
    ]
    counts = object_in(body.get(_STREAM_COUNTS))
    fed = (body.get("prompt_token_count"), body.get("inputTextTokenCount"), counts.get("inputTokenCount"))
    made = (
        body.get("generation_token_count"),
        first_in(body.get("results")).get("tokenCount"),
        counts.get("outputTokenCount"),
    )
    return Answered(
        output=parts.assistant([parts.text_part(text)] if text or not calls else [], calls),
        usage=Usage(input=_first_count(fed), output=_first_count(made)),
        finish_reason="tool_calls" if calls and finish == "stop" else finish,
        finish_reason_given=given if given != finish else None,
        response_id=text_of(body.get("id")) or text_of(body.get("response_id")),
        error=error_in(body),
        attributes=without(
            body, frozenset({*understood, "error", "id", "response_id", "usage", "tool_calls"})
        ),
    )


def fold_events(events: list[Json]) -> Json:
    """The chunks are those of the model family."""
    for family in _ANSWERING:
        if any(family.is_event(event) for event in events[:3]):
            return family.fold_events(events)
    whole: Json = {}
    pieces: list[str] = []
    for event in events:
        whole |= {key: value for key, value in event.items() if value is not None}
        found = _text_answer(event)
        pieces.append(found[0] if found else as_text(event.get("outputText") or ""))
    if "outputText" in whole:
        result = {
            "outputText": "".join(pieces),
            "completionReason": whole.get("completionReason"),
            "tokenCount": whole.get("totalOutputTextTokenCount"),
        }
        return {"inputTextTokenCount": whole.get("inputTextTokenCount"), "results": [result]}
    return {**whole, "generation": "".join(pieces)}


def _text_answer(body: Json) -> Found:
    """Text, finish reason and the keys that held them, of a family that answers with bare text."""
    for read in _READERS:
        found = read(body)
        if found is not None:
            return found
    return None


def _titan(body: Json) -> Found:
    result = first_in(body.get("results"))
    if "outputText" not in result:
        return None
    keys = ("results", "inputTextTokenCount")
    return as_text(result["outputText"] or ""), text_of(result.get("completionReason")), keys


def _llama(body: Json) -> Found:
    if not isinstance(body.get("generation"), str):
        return None
    keys = ("generation", "stop_reason", "prompt_token_count", "generation_token_count", _STREAM_COUNTS)
    return body["generation"], text_of(body.get("stop_reason")), keys


def _mistral(body: Json) -> Found:
    output = first_in(body.get("outputs"))
    if not isinstance(output.get("text"), str):
        return None
    return output["text"], text_of(output.get("stop_reason")), ("outputs",)


def _cohere(body: Json) -> Found:
    generation = first_in(body.get("generations"))
    if isinstance(generation.get("text"), str):
        return generation["text"], text_of(generation.get("finish_reason")), ("generations", "prompt")
    if isinstance(body.get("text"), str) and ("generation_id" in body or "chat_history" in body):
        return body["text"], text_of(body.get("finish_reason")), ("text", "finish_reason", "chat_history")
    return None


def _jurassic(body: Json) -> Found:
    completion = first_in(body.get("completions"))
    text = object_in(completion.get("data")).get("text")
    if not isinstance(text, str):
        return None
    return text, text_of(object_in(completion.get("finishReason")).get("reason")), ("completions",)


_READERS: tuple[Callable[[Json], Found], ...] = (_titan, _llama, _mistral, _cohere, _jurassic)


def _first_count(values: tuple[Any, ...]) -> int | None:
    for value in values:
        count = tokens_of(value)
        if count is not None:
            return count
    return None
