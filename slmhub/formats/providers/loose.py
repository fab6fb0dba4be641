"""What providers' JSON holds, read with tolerance: a value of a wrong type is as good as absent."""

from __future__ import annotations

from collections import Counter
from typing import Any

import orjson

from slmhub.formats.fields import number_of, text_of
from slmhub.formats.records import Issue, MalformedError, Usage

Json = dict[str, Any]

_MAX_ERROR = 2000
_MAX_SCHEMA_DEPTH = 60
_DEEPEST = 100


def object_in(value: Any) -> Json:
    return value if isinstance(value, dict) else {}


def objects_in(value: Any) -> list[Json]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def first_in(value: Any) -> Json:
    """The first object of a list, {} when there is none."""
    found = objects_in(value)
    return found[0] if found else {}


def string_in(value: Any) -> str:
    return value if isinstance(value, str) else ""


def either(body: Json, *keys: str) -> Any:
    """The value under the first key that is there: camelCase on the wire, snake_case in Python clients."""
    return next((body[key] for key in keys if key in body), None)


def without(body: Json, keys: frozenset[str]) -> Json:
    """What is left of `body`, without the keys that were understood and without empty values."""
    return {key: value for key, value in body.items() if key not in keys and value not in (None, "", [], {})}


def list_in(body: Json, key: str) -> list[Any]:
    """The list under `key`, [] for null. Raises MalformedError for anything else."""
    value = body.get(key)
    if value is None:
        return []
    if not isinstance(value, list):
        raise MalformedError(f"request.{key} must be a list")
    return value


def decoded(text: str) -> Any:
    """The JSON that a text inside of JSON holds; None when it is none, or nested deeper than any row may be.

    No NUL comes out of it: no database stores one.
    """
    try:
        value = orjson.loads(text.replace("\\u0000", "\\ufffd"))
    except orjson.JSONDecodeError:
        return None
    return None if _is_deep(text, value) else value


def _is_deep(text: str, value: Any) -> bool:
    if text.count("[") + text.count("{") <= _DEEPEST:
        return False
    level = [value]
    for _ in range(_DEEPEST):
        level = [
            item
            for held in level
            for item in (held.values() if isinstance(held, dict) else held)
            if isinstance(item, dict | list)
        ]
        if not level:
            return False
    return True


def as_text(value: Any) -> str:
    return value if isinstance(value, str) else orjson.dumps(value, default=str).decode()


def error_in(body: Any) -> str | None:
    """The message of an error body of any provider; Google's may stand in a list."""
    if isinstance(body, list):
        return next((error for item in objects_in(body) if (error := error_in(item))), None)
    error = object_in(body).get("error")
    if isinstance(error, dict):
        return (text_of(error.get("message")) or as_text(error))[:_MAX_ERROR]
    return as_text(error)[:_MAX_ERROR] if error else None


def usage_with_total(usage: Usage, total: Any) -> Usage:
    """`usage` with reasoning as a part of output.

    Some providers count reasoning beside the output; then the total says so, or there is more of it.
    """
    said, spent = number_of(total), usage.reasoning or 0
    apart = spent > (usage.output or 0) or (
        said is not None and said == (usage.input or 0) + (usage.output or 0) + spent
    )
    if spent and apart:
        usage.output = (usage.output or 0) + spent
    return usage


def several(choices: Any, issues: set[Issue]) -> Json:
    """The first choice; that there were more is noted."""
    found = objects_in(choices)
    if len(found) > 1:
        issues.add(Issue.SEVERAL_CHOICES)
    return found[0] if found else {}


class CallNames:
    """Ids for tool calls that carry none, made of name and order, so that a result finds its call."""

    def __init__(self) -> None:
        self._seen: Counter[str] = Counter()

    def id_of(self, given: Any, name: Any) -> str:
        if isinstance(given, str) and given:
            return given
        self._seen[str(name)] += 1
        count = self._seen[str(name)]
        return f"function_{name}" if count == 1 else f"function_{name}_{count}"


def lower_types(schema: Any, depth: int = 0) -> Any:
    """A JSON schema whose types were written OBJECT, STRING …, as Google does, in the usual lower case."""
    if depth > _MAX_SCHEMA_DEPTH:
        return schema
    if isinstance(schema, list):
        return [lower_types(item, depth + 1) for item in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: value.lower() if key == "type" and isinstance(value, str) else lower_types(value, depth + 1)
        for key, value in schema.items()
    }
