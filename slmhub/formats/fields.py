"""Values of foreign JSON, read with tolerance: a wrong type is an absent value."""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import orjson
import xxhash

from slmhub.formats.foreign_json import NotJsonError, decode
from slmhub.formats.records import Issue, MalformedError
from slmhub.formats.storable import DEEPEST, may_hold_nul, storable_json

Json = dict[str, Any]

EXCERPT = 200
EMPTY: tuple[Any, ...] = (None, "", [], {})
_NESTED = (dict, list)
_EARLIEST, _LATEST = 2000, 2099
_MAX_ID = 256
_SUCCESS, _FAILURE = "success", "failure"


def content_id(row: Any) -> str:
    """32 hex digits that only the content decides, so that a redelivery is recognised."""
    return xxhash.xxh3_128_hexdigest(orjson.dumps(row, option=orjson.OPT_SORT_KEYS))


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
    return {key: value for key, value in body.items() if key not in keys and value not in EMPTY}


def filled(attributes: Json) -> Json:
    """Without the attributes that say nothing."""
    return {key: value for key, value in attributes.items() if value not in EMPTY}


def telling(attributes: Json) -> Json:
    """Without the attributes that say nothing, flags that are off among them."""
    return {key: value for key, value in filled(attributes).items() if value is not False}


def json_in(text: str) -> Any:
    """The JSON that a text inside of JSON holds; None when it is none, or nested deeper than any row may be.

    No NUL comes out of it: no database stores one.
    """
    try:
        value = decode(text)
    except NotJsonError:
        return None
    if text.count("[") + text.count("{") > DEEPEST and nests_deeper(value, DEEPEST):
        return None
    return storable_json(value) if may_hold_nul(text) else value


def json_or_text(value: Any) -> Any:
    """A string that is a JSON object or list decoded, any other value as it is."""
    if not isinstance(value, str) or value.lstrip()[:1] not in ("{", "["):
        return value
    found = json_in(value)
    return value if found is None else found


def nests_deeper(value: Any, most: int) -> bool:
    """Whether plain dicts and lists, as decoded JSON has them, nest in more than `most` levels."""
    level = [value] if type(value) in _NESTED else []
    for _ in range(most):
        if not level:
            return False
        level = [
            child
            for parent in level
            for child in (parent.values() if type(parent) is dict else parent)
            if type(child) in _NESTED
        ]
    return bool(level)


def as_text(value: Any) -> str:
    """The text itself; any other value as JSON."""
    if isinstance(value, str):
        return value
    try:
        return orjson.dumps(value, default=str).decode()
    except TypeError:
        return type(value).__name__


def excerpt_of(value: Any) -> str:
    """The begin of what was refused, for the list of rejects."""
    return as_text(value)[:EXCERPT]


def object_of(value: Any, where: str) -> dict[str, Any]:
    """An object, {} for null. Raises MalformedError for anything else."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise MalformedError(f"{where} must be an object")
    return value


def text_of(value: Any) -> str | None:
    """A non-empty string of at most 256 characters; numbers become their text; everything else None."""
    # Asked of nearly every attribute, and nearly all of them are texts.
    if value.__class__ is str:
        return value[:_MAX_ID] or None
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    return str(value)[:_MAX_ID] or None


def texts_of(value: Any) -> list[str]:
    if not isinstance(value, list):
        return []
    return [text for item in value if (text := text_of(item))]


def first_text(places: Iterable[dict[str, Any]], keys: Iterable[str]) -> str | None:
    """The first usable string under one of the keys, the nearest place first."""
    wanted = tuple(keys)
    for place in places:
        for key in wanted:
            if key in place and (text := text_of(place[key])):
                return text
    return None


def number_of(value: Any) -> float | None:
    """A finite number that is not negative; strings that hold one are read ("22118")."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) and number >= 0 else None


def tokens_of(value: Any) -> int | None:
    number = number_of(value)
    return int(number) if number is not None and number < 2**53 else None


def instant_of(value: Any, issues: set[Issue]) -> datetime | None:
    """ISO 8601 or an epoch in seconds, milliseconds, microseconds or nanoseconds, as UTC.

    A clock outside 2000 to 2099 is as good as none: None, and the issue is noted.
    """
    if value is None or value == "":
        return None
    try:
        if isinstance(value, str) and not value.replace(".", "", 1).isdigit():
            instant = datetime.fromisoformat(value)
            instant = instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)
        else:
            number = float(value)
            # 1e11 seconds lie in the year 5138, 1e11 milliseconds in 1973: the size tells the unit.
            unit = next((unit for unit in (1, 1e3, 1e6) if abs(number) <= 1e11 * unit), 1e9)
            instant = datetime.fromtimestamp(number / unit, UTC)
    except (ValueError, TypeError, OverflowError, OSError):
        instant = None
    if instant is None or not _EARLIEST <= instant.year <= _LATEST:
        issues.add(Issue.TIMESTAMP_UNUSABLE)
        return None
    return instant


def outcome_of(metadata: dict[str, Any]) -> str | None:
    """How the whole session ended, "success" or "failure", when the emitter says so."""
    given = metadata.get("session_outcome", metadata.get("outcome"))
    if isinstance(given, str) and given.lower() in (_SUCCESS, _FAILURE):
        return given.lower()
    if isinstance(given, bool):
        return _SUCCESS if given else _FAILURE
    reward = number_of(metadata.get("reward"))
    if reward is None:
        return None
    return _SUCCESS if reward >= 1 else _FAILURE
