"""Google's generateContent, of the Gemini API and of Vertex AI, in both spellings (camelCase, snake_case)."""

from __future__ import annotations

from slmhub.formats import parts
from slmhub.formats.fields import (
    Json,
    as_text,
    either,
    first_in,
    object_in,
    objects_in,
    text_of,
    tokens_of,
    without,
)
from slmhub.formats.parts import Part
from slmhub.formats.providers import gemini_parts, names
from slmhub.formats.providers.bodies import error_in, lower_types, several
from slmhub.formats.providers.shapes import Answered, Asked
from slmhub.formats.records import Issue, MalformedError, Message, Usage

NAME = "gemini"
PROVIDER = "google"

# fmt: off
_CARRIED = frozenset((
    "contents", "systemInstruction", "system_instruction", "tools", "model", "labels", "generationConfig",
    "generation_config", "config",
))
_ANSWERED = frozenset((
    "candidates", "usageMetadata", "usage_metadata", "modelVersion", "model_version", "responseId",
    "response_id", "createTime", "create_time", "error", "sdkHttpResponse", "sdk_http_response",
    "automatic_function_calling_history",
))
# Numbers of the finish reasons, where enums are sent as such.
_FINISH = (
    "FINISH_REASON_UNSPECIFIED", "STOP", "MAX_TOKENS", "SAFETY", "RECITATION", "OTHER", "BLOCKLIST",
    "PROHIBITED_CONTENT", "SPII", "MALFORMED_FUNCTION_CALL",
)
# fmt: on
_DECLARED = frozenset({"functionDeclarations", "function_declarations"})


def is_request(body: Json) -> bool:
    contents = body.get("contents")
    if isinstance(contents, str | dict):
        return bool(contents)
    return isinstance(contents, list) and ("parts" in first_in(contents) or not objects_in(contents))


def is_response(body: Json) -> bool:
    return isinstance(body.get("candidates"), list) or (
        either(body, "usageMetadata", "usage_metadata", "promptFeedback") is not None
    )


def is_event(event: Json) -> bool:
    return is_response(event)


def asked(body: Json, issues: set[Issue]) -> Asked:
    """`config` is where the Python client puts everything but model and contents. Raises MalformedError."""
    body = {**object_in(body.get("config")), **body}
    generation = object_in(either(body, "generationConfig", "generation_config"))
    contents = body.get("contents")
    if contents is not None and not isinstance(contents, list | dict | str):
        raise MalformedError("request.contents must be text or a list of contents")
    if not isinstance(contents, list):
        contents = [] if contents is None else [contents]
    tools: list[Json] = []
    for tool in objects_in(body.get("tools")):
        declared = objects_in(either(tool, *sorted(_DECLARED)))
        for function in declared:
            schema = either(function, "parametersJsonSchema", "parameters_json_schema")
            if schema is None:
                schema = lower_types(function.get("parameters"))
            tools.append(parts.function_tool(function.get("name"), function.get("description"), schema))
        # Google's own tools (googleSearch …) may stand in the same object.
        own = without(tool, _DECLARED) if declared else tool
        if own:
            tools.append(own)
    model = text_of(body.get("model"))
    return Asked(
        messages=[*_system(body), *gemini_parts.messages_of(contents, issues)],
        tools=tools,
        parameters={**generation, **{key: body[key] for key in body if key not in _CARRIED}},
        model=model.rpartition("/")[2] if model else None,
        metadata=object_in(body.get("labels")),
    )


def answered(body: Json, issues: set[Issue]) -> Answered:
    """Raises MalformedError."""
    candidate = several(body.get("candidates"), issues)
    content = object_in(candidate.get("content"))
    output = gemini_parts.model_message(content, issues) if content else None
    blocked = text_of(either(object_in(body.get("promptFeedback")), "blockReason", "block_reason"))
    given = either(candidate, "finishReason", "finish_reason")
    if isinstance(given, int) and not isinstance(given, bool) and 0 <= given < len(_FINISH):
        given = _FINISH[given]
    # "STOP" of "FinishReason.STOP", as the Python client prints its enums.
    given = (text_of(as_text(given).rpartition(".")[2]) if given else None) or blocked
    finish = "content_filter" if blocked else names.finish_of(given)
    if finish == "stop" and output and output.get("tool_calls"):
        finish = "tool_calls"
    rest = without(candidate, frozenset({"content", "finishReason", "finish_reason", "index"}))
    return Answered(
        output=output,
        usage=usage_of(object_in(either(body, "usageMetadata", "usage_metadata"))),
        finish_reason=finish,
        finish_reason_given=given if given != finish else None,
        model=text_of(either(body, "modelVersion", "model_version")),
        response_id=text_of(either(body, "responseId", "response_id")),
        error=error_in(body),
        created=either(body, "createTime", "create_time"),
        attributes={**rest, **without(body, _ANSWERED)},
    )


def fold_events(events: list[Json]) -> Json:
    """The chunks are answers themselves; their parts follow one another, their counts replace one another."""
    whole: Json = {}
    usage: Json = {}
    candidate: Json = {}
    said: list[Part] = []
    for event in events:
        whole |= event
        usage |= object_in(either(event, "usageMetadata", "usage_metadata"))
        given = first_in(event.get("candidates"))
        said += objects_in(object_in(given.get("content")).get("parts"))
        candidate |= {key: value for key, value in given.items() if key != "content" and value is not None}
    if said or candidate:
        whole["candidates"] = [
            {**candidate, "content": {"role": "model", "parts": gemini_parts.joined(said)}}
        ]
    return {**whole, "usageMetadata": usage} if usage else whole


def usage_of(usage: Json) -> Usage:
    """Google counts thoughts beside the candidates, and what tools bring in beside the prompt."""
    prompt = tokens_of(either(usage, "promptTokenCount", "prompt_token_count"))
    brought = tokens_of(either(usage, "toolUsePromptTokenCount", "tool_use_prompt_token_count"))
    said = tokens_of(either(usage, "candidatesTokenCount", "candidates_token_count"))
    thought = tokens_of(either(usage, "thoughtsTokenCount", "thoughts_token_count"))
    return Usage(
        input=None if prompt is None else prompt + (brought or 0),
        output=None if said is None and thought is None else (said or 0) + (thought or 0),
        cached_input=tokens_of(either(usage, "cachedContentTokenCount", "cached_content_token_count")),
        reasoning=thought,
    )


def _system(body: Json) -> list[Message]:
    given = either(body, "systemInstruction", "system_instruction")
    if isinstance(given, str):
        return [{"role": "system", "content": given}] if given else []
    found = given if isinstance(given, list) else object_in(given).get("parts")
    said = [gemini_parts.part_of(part) for part in objects_in(found)]
    if isinstance(found, list) and not said:
        said = [parts.text_part(text) for text in found if isinstance(text, str)]
    return [{"role": "system", "content": parts.content_of(said)}] if said else []
