"""OpenAI chat completions, which most other providers speak too."""

from __future__ import annotations

from slmhub.formats.chat_shapes import message_of, messages_of, tools_of
from slmhub.formats.fields import Json, first_in, first_text, object_in, object_of, text_of, tokens_of
from slmhub.formats.parts import content_of, reasoning_part, text_part
from slmhub.formats.providers import names
from slmhub.formats.providers.bodies import error_in, usage_with_total
from slmhub.formats.providers.chat_stream import fold_chunks
from slmhub.formats.providers.shapes import Answered, Asked
from slmhub.formats.records import Issue, MalformedError, Message, Usage

NAME = "openai_chat"
# Everybody speaks this shape: the address or the row has to say who.
PROVIDER = None

_CARRIED = frozenset({"messages", "tools", "functions", "model", "metadata"})
_KEPT = ("system_fingerprint", "service_tier")
_REASONING_KEYS = ("reasoning_content", "reasoning")


def is_request(body: Json) -> bool:
    return isinstance(body.get("messages"), list)


def is_response(body: Json) -> bool:
    choice = first_in(body.get("choices"))
    return "message" in choice or body.get("object") == "chat.completion"


def is_event(event: Json) -> bool:
    return event.get("object") == "chat.completion.chunk" or "delta" in first_in(event.get("choices"))


def asked(body: Json, issues: set[Issue]) -> Asked:
    """Raises MalformedError."""
    messages = messages_of(body.get("messages"), issues, "request.messages")
    for index, message in enumerate(messages):
        # DeepSeek's answers come back in the next request with their reasoning beside the content.
        if "reasoning_content" in message:
            messages[index] = _with_reasoning(message)
    return Asked(
        messages=messages,
        tools=tools_of(body),
        parameters={key: value for key, value in body.items() if key not in _CARRIED},
        model=text_of(body.get("model")),
        user=first_text((body,), ("user", "safety_identifier")),
        streamed=bool(body.get("stream")),
        metadata=object_in(body.get("metadata")),
    )


def answered(body: Json, issues: set[Issue]) -> Answered:
    """Raises MalformedError."""
    choices = body.get("choices") or []
    if not isinstance(choices, list):
        raise MalformedError("response.choices must be a list")
    if len(choices) > 1:
        issues.add(Issue.SEVERAL_CHOICES)
    choice = object_of(choices[0], "response.choices[0]") if choices else {}
    output = None
    if choice:
        where = "response.choices[0].message"
        message = object_of(choice.get("message"), where)
        output = _with_reasoning(message_of({"role": "assistant", **message}, issues, where))
    given = text_of(choice.get("finish_reason"))
    finish = names.finish_of(given)
    kept = {key: text_of(body.get(key)) for key in _KEPT}
    return Answered(
        output=output,
        usage=usage_of(object_of(body.get("usage"), "response.usage")),
        finish_reason=finish,
        finish_reason_given=given if given != finish else None,
        model=text_of(body.get("model")),
        response_id=text_of(body.get("id")),
        error=error_in(body),
        created=body.get("created"),
        attributes={key: text for key, text in kept.items() if text},
    )


def fold_events(events: list[Json]) -> Json:
    return fold_chunks(events)


def usage_of(usage: Json) -> Usage:
    """Counts in OpenAI's chat spelling. Raises MalformedError."""
    prompt = object_of(usage.get("prompt_tokens_details"), "usage.prompt_tokens_details")
    completion = object_of(usage.get("completion_tokens_details"), "usage.completion_tokens_details")
    counted = Usage(
        input=tokens_of(usage.get("prompt_tokens")),
        output=tokens_of(usage.get("completion_tokens")),
        cached_input=tokens_of(prompt.get("cached_tokens")),
        cache_write=tokens_of(prompt.get("cache_write_tokens")),
        reasoning=tokens_of(completion.get("reasoning_tokens")),
    )
    return usage_with_total(counted, usage.get("total_tokens")) if counted.reasoning else counted


def _with_reasoning(message: Message) -> Message:
    """The reasoning that stands beside the content becomes its first part."""
    if "reasoning_content" not in message and "reasoning" not in message:
        return message
    text = next((message[key] for key in _REASONING_KEYS if isinstance(message.get(key), str)), "")
    if not text:
        return {key: value for key, value in message.items() if key not in _REASONING_KEYS or value}
    content = message["content"]
    rest = [text_part(content)] if isinstance(content, str) and content else content or []
    kept = {key: value for key, value in message.items() if key not in _REASONING_KEYS}
    return {**kept, "content": content_of([reasoning_part(text), *rest])}
