"""Attribute values of foreign spans: taken with tolerance, decoded with bounds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from slmhub.formats.fields import as_text, nests_deeper, number_of, text_of, texts_of, tokens_of
from slmhub.formats.foreign_json import NotJsonError, decode
from slmhub.formats.otlp.reading import Reading
from slmhub.formats.parts import assistant, text_part, tool_call, tool_result
from slmhub.formats.providers.names import finish_of
from slmhub.formats.records import Issue, Message, Usage

# What OpenInference writes in place of content that its settings hide.
HIDDEN = "__REDACTED__"

_MOST_DEEP = 64


class Taken:
    """The attributes of a span; `keys` remembers which of them were understood."""

    __slots__ = ("given", "keys")

    def __init__(self, given: dict[str, Any]) -> None:
        self.given = given
        self.keys: set[str] = set()

    def take(self, *keys: str) -> Any:
        """The first value that is there; None where the emitter hid it."""
        for key in keys:
            value = self.given.get(key)
            if value is not None:
                self.keys.add(key)
                if value != HIDDEN:
                    return value
        return None

    def text(self, *keys: str) -> str | None:
        """The first usable text; another key that repeats it counts as understood too."""
        found: str | None = None
        for key in keys:
            text = text_of(self.given.get(key))
            found = found or text
            if text is not None and text == found:
                self.keys.add(key)
        return found

    def number(self, *keys: str) -> float | None:
        found = next((key for key in keys if number_of(self.given.get(key)) is not None), None)
        if found is None:
            return None
        self.keys.add(found)
        return number_of(self.given[found])

    def tokens(self, *keys: str) -> int | None:
        return tokens_of(self.number(*keys))

    def flag(self, *keys: str) -> bool:
        return any(self.take(key) in (True, "true", "True") for key in keys)

    def decoded(self, key: str, issues: set[Issue]) -> Any:
        """The value, a JSON object or array in a string decoded."""
        return decoded(self.take(key), issues)

    def object(self, key: str, issues: set[Issue]) -> dict[str, Any]:
        """The JSON object under `key`; {} for anything else, which then stays raw."""
        value = decoded(self.given.get(key), issues)
        if not isinstance(value, dict):
            return {}
        self.keys.add(key)
        return value

    def under(self, prefix: str) -> dict[str, Any]:
        """What stands under `prefix.`, by the rest of its key."""
        keys = [key for key in self.given if key.startswith(prefix)]
        self.keys.update(keys)
        return {key[len(prefix) :]: self.given[key] for key in keys}

    def hides(self, *keys: str) -> bool:
        return any(self.given.get(key) == HIDDEN for key in keys)


def decoded(value: Any, issues: set[Issue]) -> Any:
    """A string that holds a JSON object or array decoded; everything else as it is.

    JSON that ends in the middle is noted as truncated; JSON nested too deeply to be written again stays text.
    """
    if not isinstance(value, str):
        return value
    start = value[:64].lstrip()[:1]
    if start not in ("{", "["):
        return value
    try:
        found = decode(value)
    except NotJsonError:
        if not value.rstrip().endswith(("}", "]")) and value.lstrip()[1:2] in ('"', "{", "[", "\\"):
            issues.add(Issue.TRUNCATED)
        return value
    too_deep = value.count("{") + value.count("[") > _MOST_DEEP and nests_deeper(found, _MOST_DEEP)
    return value if too_deep else found


def unquoted(value: Any) -> Any:
    """A text that was written as a JSON string; everything else as it is."""
    if not isinstance(value, str) or len(value) < 2 or value[0] != '"' or value[-1] != '"':
        return value
    try:
        return decode(value)
    except NotJsonError:
        return value


def strings_of(value: Any, issues: set[Issue]) -> list[str]:
    """A list of texts, however written: a list, its JSON, or "a, b"."""
    value = decoded(value, issues)
    if isinstance(value, str):
        return [text.strip() for text in value.split(",") if text.strip()]
    return texts_of(value)


def inclusive(usage: Usage) -> Usage:
    """The usage with cached tokens as part of the input, for emitters that count them beside it."""
    cached = (usage.cached_input or 0) + (usage.cache_write or 0)
    if usage.input is not None and cached > usage.input:
        usage.input += cached
    return usage


def tool_messages(
    name: str, call_id: Any, *, arguments: Any, result: Any, issues: set[Issue]
) -> tuple[list[Message], Message | None]:
    """What a tool span holds: the assistant's call, and the tool's answer if there is one."""
    written = arguments if arguments is None else as_text(unwrapped(arguments, issues))
    call = tool_call(text_of(call_id), name, written, issues)
    answer = None if result is None else tool_result(text_of(call_id), as_text(result), name)
    return [assistant((), [call])], answer


def unwrapped(arguments: Any, issues: set[Issue]) -> Any:
    """The keyword arguments of what a Python decorator recorded as `{"args": [], "kwargs": {…}}`."""
    call = decoded(arguments, issues)
    if isinstance(call, dict) and call.keys() == {"args", "kwargs"} and not call["args"]:
        return call["kwargs"]
    return arguments


def user_texts(texts: Sequence[Any]) -> list[Message]:
    return [{"role": "user", "content": as_text(text)} for text in texts if text is not None]


def said(text: Any) -> Message:
    return assistant([text_part(as_text(text))])


def end(reading: Reading, given: str | None) -> None:
    """Notes why the answer ended: in OpenAI's words, and as given where that differs."""
    if given is None:
        return
    reading.finish_reason = finish_of(given)
    reading.finish_reason_given = given if given != reading.finish_reason else None
