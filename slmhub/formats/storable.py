"""Values that every database and every JSON writer takes: no NUL, no half of a surrogate pair."""

from __future__ import annotations

from typing import Any

import orjson

# No row nests deeper.
DEEPEST = 100
UNREADABLE = "\ufffd"
_INT64 = range(-(2**63), 2**64)


def may_hold_nul(written: bytes | str) -> bool:
    """Whether JSON text may hold the escape of NUL; only then a tree is worth looking through."""
    return b"\\u0000" in written if isinstance(written, bytes) else "\\u0000" in written


def storable_text(text: str) -> str:
    """PostgreSQL stores no NUL, and half a surrogate pair has no UTF-8."""
    plain = text.replace("\0", UNREADABLE)
    return plain if plain.isascii() else plain.encode(errors="replace").decode()


def storable(value: Any) -> Any:
    """The value itself where it can be stored, which is the rule, else `storable_json` of it."""
    try:
        if not may_hold_nul(orjson.dumps(value)):
            return value
    except orjson.JSONEncodeError:
        pass
    return storable_json(value)


def storable_json(value: Any, *, deepest: int = DEEPEST, depth: int = 0) -> Any:
    """A copy of the value in which what cannot be stored is replaced, and what nests too deeply a remark."""
    if isinstance(value, str):
        return storable_text(value)
    if value is None or isinstance(value, float):
        return value
    if isinstance(value, int):
        return value if value in _INT64 else str(value)
    if isinstance(value, list | tuple | dict) and depth > deepest:
        return f"(nested deeper than {deepest} levels)"
    if isinstance(value, list | tuple):
        return [storable_json(item, deepest=deepest, depth=depth + 1) for item in value]
    if isinstance(value, dict):
        return {
            storable_text(str(key)): storable_json(item, deepest=deepest, depth=depth + 1)
            for key, item in value.items()
        }
    return storable_text(str(value))
