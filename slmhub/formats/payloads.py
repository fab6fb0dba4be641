"""Requests and answers as other emitters log them: a provider's body, chat messages, or bare text.

Nothing here raises: what is not understood becomes the text of one message.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from slmhub.formats import chat_shapes
from slmhub.formats.fields import EMPTY, Json, as_text, json_or_text, object_in, objects_in, text_of
from slmhub.formats.otlp import genai_parts
from slmhub.formats.parts import assistant, text_part
from slmhub.formats.platforms import langchain_messages
from slmhub.formats.platforms.langchain_answers import answered_in_generations
from slmhub.formats.providers import answer_of, anthropic, ask_of, events_of, gemini, is_stream, stream_of
from slmhub.formats.providers.gemini_parts import messages_of as gemini_messages
from slmhub.formats.providers.names import finish_of
from slmhub.formats.providers.shapes import Answered, Asked
from slmhub.formats.records import Issue, MalformedError, Message

_TEXT_KEYS = ("input", "prompt", "query", "question", "text", "content", "human_input")
_ANSWER_KEYS = ("output", "response", "text", "content", "answer", "result", "completion")
_MESSAGE_KEYS = ("messages", "input_messages", "output_messages", "chat_history")
_ROLES = frozenset({"system", "developer", "user", "assistant", "tool", "function"})


def asked_from(value: Any, issues: set[Issue]) -> Asked:
    """A request body of any provider, `{messages}`, messages of any known kind, or a prompt."""
    given = json_or_text(value)
    if given in EMPTY:
        return Asked()
    return _first(given, (_asked_by_provider, _asked_in_messages, _asked_in_text), issues) or Asked(
        messages=[{"role": "user", "content": as_text(given)}]
    )


def answered_from(value: Any, issues: set[Issue]) -> Answered:
    """A response body of any provider, a message, the last assistant message of a list, or text."""
    given = json_or_text(value)
    if given in EMPTY:
        return Answered()
    readers = (_answered_by_provider, answered_in_generations, _answered_in_messages, _answered_in_text)
    return _first(given, readers, issues) or Answered(output=assistant([text_part(as_text(given))]))


def _first(given: Any, readers: tuple[Callable[[Any, set[Issue]], Any], ...], issues: set[Issue]) -> Any:
    for read in readers:
        noted: set[Issue] = set()
        try:
            found = read(given, noted)
        except MalformedError:
            continue
        if found is not None:
            issues |= noted
            return found
    return None


def _asked_by_provider(given: Any, issues: set[Issue]) -> Asked | None:
    provider = ask_of(given)
    if provider is None or _is_foreign(given.get("messages")):
        return None
    return provider.asked(given, issues)


def _is_foreign(messages: Any) -> bool:
    """Messages of a client library under a provider's key."""
    return isinstance(messages, list) and any(
        isinstance(message, list)
        or genai_parts.is_parts_message(message)
        or ("role" not in object_in(message) and langchain_messages.is_message(message))
        for message in messages
    )


def _asked_in_messages(given: Any, issues: set[Issue]) -> Asked | None:
    if not isinstance(given, dict):
        messages = _messages_of(given, issues)
        return None if messages is None else Asked(messages=messages)
    held = _messages_held(given)
    messages = _messages_of(given if held is None else held, issues)
    if messages is None:
        return None
    rest = {} if held is None else {key: item for key, item in given.items() if key not in _MESSAGE_KEYS}
    tools, model = objects_in(rest.pop("tools", None)), text_of(rest.pop("model", None))
    return Asked(messages=messages, tools=tools, model=model, parameters=rest)


def _asked_in_text(given: Any, issues: set[Issue]) -> Asked | None:
    """One text under a usual key, or a list of texts."""
    if isinstance(given, list) and all(isinstance(text, str) for text in given):
        return Asked(messages=[{"role": "user", "content": text} for text in given])
    if not isinstance(given, dict) or len(given) != 1:
        return None
    key, text = next(iter(given.items()))
    if key not in _TEXT_KEYS:
        return None
    if isinstance(text, str):
        return Asked(messages=[{"role": "user", "content": text}])
    messages = _messages_of(text, issues)
    return None if messages is None else Asked(messages=messages)


def _messages_of(value: Any, issues: set[Issue]) -> list[Message] | None:
    """The messages of a list, a list of one list, or a single message; None for those of no known kind."""
    if isinstance(value, dict):
        message = _message_of(value, issues)
        return None if message is None else [message]
    if isinstance(value, list) and len(value) == 1 and isinstance(value[0], list):
        value = value[0]
    if not isinstance(value, list) or not value or not all(isinstance(item, dict) for item in value):
        return None
    if anthropic.is_request({"messages": value}):
        return anthropic.messages_of(value, issues)
    # The conventions of OpenTelemetry have `parts` too, but typed ones.
    if gemini.is_request({"contents": value}) and not any(map(genai_parts.is_parts_message, value)):
        return gemini_messages(value, issues)
    found: list[Message] = []
    for item in value:
        message = _message_of(item, issues)
        if message is None:
            return None
        found.append(message)
    return found


def _message_of(value: Json, issues: set[Issue]) -> Message | None:
    if genai_parts.is_parts_message(value):
        return genai_parts.message_of(value, issues)
    if langchain_messages.is_message(value):
        return langchain_messages.message_of(value, issues)
    says = "content" in value or "tool_calls" in value or "function_call" in value
    if says and text_of(value.get("role")) in _ROLES:
        return chat_shapes.message_of(value, issues, "message")
    return None


def _answered_by_provider(given: Any, issues: set[Issue]) -> Answered | None:
    if isinstance(given, str) and is_stream(given):
        events = events_of(given.encode(errors="replace"))
        provider = stream_of(events)
        return provider.answered(provider.fold_events(events), issues) if provider else None
    if isinstance(given, list) and any(gemini.is_response(item) for item in objects_in(given)):
        return gemini.answered(gemini.fold_events(objects_in(given)), issues)
    provider = answer_of(given)
    if provider is None:
        return None
    answered = provider.answered(given, issues)
    return answered if answered.output or answered.error else None


def _answered_in_messages(given: Any, issues: set[Issue]) -> Answered | None:
    held = _messages_held(given) if isinstance(given, dict) else None
    if held is None:
        held = given
    messages = _messages_of(held, issues)
    if not messages:
        return None
    spoken = [message for message in messages if message.get("role") == "assistant"]
    last = held[-1] if isinstance(held, list) else held
    finish = text_of(object_in(last).get("finish_reason"))
    return Answered(output=(spoken or messages)[-1], finish_reason=finish_of(finish))


def _messages_held(given: Json) -> list[Any] | None:
    for key in _MESSAGE_KEYS:
        if isinstance(given.get(key), list):
            messages: list[Any] = given[key]
            return messages
    return None


def _answered_in_text(given: Any, issues: set[Issue]) -> Answered | None:
    """One text under a usual key."""
    if not isinstance(given, dict) or len(given) != 1:
        return None
    key, text = next(iter(given.items()))
    if key not in _ANSWER_KEYS:
        return None
    if isinstance(text, str):
        return Answered(output=assistant([text_part(text)]))
    return _answered_in_messages(text, issues)
