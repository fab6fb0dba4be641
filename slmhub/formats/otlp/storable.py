"""Records whose values every database and every JSON writer takes."""

from __future__ import annotations

from typing import Any

import msgspec
import orjson

from slmhub.formats.merge import add_issue
from slmhub.formats.records import Issue, Record

_DEEPEST = 64
_INT64 = range(-(2**63), 2**64)


def storable(record: Record) -> Record:
    """The same record where its values can be stored; else a copy in which those that cannot are replaced.

    NUL, which no database stores, becomes U+FFFD and is noted; what is nested too deeply becomes a remark.
    """
    values = msgspec.structs.astuple(record)
    try:
        # As the writer will: what this refuses could not be stored.
        written = orjson.dumps([value for value in values if isinstance(value, str | list | dict)])
    except orjson.JSONEncodeError:
        return _replaced(record)
    if b"\\u0000" not in written:
        return record
    clean = _replaced(record)
    if clean != record:
        add_issue(clean, Issue.NUL_REPLACED)
    return clean


def _replaced(record: Record) -> Record:
    values = msgspec.structs.asdict(record)
    # Not the kind: an enum's text is no enum.
    kept = {name: _clean(value) for name, value in values.items() if type(value) in (str, list, dict)}
    return msgspec.structs.replace(record, **kept)


def _clean(value: Any, depth: int = 0) -> Any:
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, int):
        return value if value in _INT64 else str(value)
    if not isinstance(value, list | dict):
        return value
    if depth > _DEEPEST:
        return f"(nested deeper than {_DEEPEST} levels)"
    if isinstance(value, list):
        return [_clean(item, depth + 1) for item in value]
    return {_text(str(key)): _clean(item, depth + 1) for key, item in value.items()}


def _text(text: str) -> str:
    plain = text.replace("\0", "\ufffd")
    return plain if plain.isascii() else plain.encode(errors="replace").decode()
