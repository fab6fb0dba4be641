"""Attributes of a span: short ones stand in its row, long ones in a content of their own."""

from __future__ import annotations

from typing import Any

import orjson

ROW_BYTES = 16_000
ROW_KEYS = 300
LARGEST = 4 * 1024 * 1024
_NOTE = "… cut: {:,} bytes"


def split(attributes: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """What a row holds, and the rest: the longest values, the last keys when there are too many."""
    if len(attributes) <= ROW_KEYS and _size(attributes) <= ROW_BYTES:
        return attributes, {}
    sizes = {key: _size(value) + len(key) + 4 for key, value in attributes.items()}
    long, total = set(list(sizes)[ROW_KEYS:]), sum(list(sizes.values())[:ROW_KEYS])
    for key in sorted(sizes, key=lambda name: (-sizes[name], name)):
        if total <= ROW_BYTES:
            break
        if key not in long:
            long.add(key)
            total -= sizes[key]
    short = {key: value for key, value in attributes.items() if key not in long}
    return short, bounded({key: value for key, value in attributes.items() if key in long})


def bounded(attributes: dict[str, Any]) -> dict[str, Any]:
    """The longest values cut, with a note, until everything is at most `LARGEST` bytes."""
    if _size(attributes) <= LARGEST:
        return attributes
    sizes = {key: _size(value) + len(key) + 4 for key, value in attributes.items()}
    kept, excess = dict(attributes), sum(sizes.values()) - LARGEST
    for key in sorted(sizes, key=lambda name: (-sizes[name], name)):
        if excess <= 0:
            break
        kept[key] = _cut(attributes[key], max(0, sizes[key] - excess - 1000), sizes[key])
        excess -= sizes[key] - _size(kept[key]) - len(key)
    # Nothing but keys: millions of short ones.
    return kept if excess <= 0 else dict(list(kept.items())[: LARGEST // 1000])


def _cut(value: Any, size: int, given: int) -> str:
    text = value if isinstance(value, str) else orjson.dumps(value, default=str).decode(errors="replace")
    # A character takes at most six bytes in JSON.
    return text[: size // 6] + _NOTE.format(given)


def _size(value: Any) -> int:
    try:
        return len(orjson.dumps(value, default=str))
    except TypeError:
        # Half a surrogate pair or a number of more than 64 bits, in here or in something it holds.
        return len(repr(value))
