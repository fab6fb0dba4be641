"""What the bodies of several providers have in common."""

from __future__ import annotations

from collections import Counter
from typing import Any

from slmhub.formats.fields import Json, as_text, number_of, object_in, objects_in, text_of
from slmhub.formats.records import Issue, MalformedError, Usage

_MAX_ERROR = 2000
_MAX_SCHEMA_DEPTH = 60


def list_in(body: Json, key: str) -> list[Any]:
    """The list under `key`, [] for null. Raises MalformedError for anything else."""
    value = body.get(key)
    if value is None:
        return []
    if not isinstance(value, list):
        raise MalformedError(f"request.{key} must be a list")
    return value


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
