"""JSON that others wrote: decoded at every door in one way, with one account of what is wrong with it."""

from __future__ import annotations

from typing import Any

import orjson


class NotJsonError(ValueError):
    """Its text goes on after what was read: “is not JSON: unexpected character at character 5”."""


def decode(text: bytes | str) -> Any:
    """The value. Raises NotJsonError."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise NotJsonError(f"is not JSON: {_reason(text, error)}") from error


def _reason(text: bytes | str, error: orjson.JSONDecodeError) -> str:
    if isinstance(text, bytes):
        if b"\0" in text:
            return "it holds NUL bytes"
        try:
            text.decode()
        except UnicodeDecodeError as undecodable:
            return f"byte {undecodable.start} is 0x{text[undecodable.start]:02x}, which is not UTF-8"
    return f"{error.msg} at character {error.pos}"
