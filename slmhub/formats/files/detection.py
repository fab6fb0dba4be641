"""What the first bytes of a stream tell: its encoding, and how the rows lie in it."""

from __future__ import annotations

import codecs
import re
from enum import StrEnum

from slmhub.formats.foreign_json import NotJsonError, decode

BOM = codecs.BOM_UTF8
# The longer mark first: the one of UTF-32 begins with the one of UTF-16.
_WIDE = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_SPACE = b" \t\r\n"
# Field 1 of an export request, and fields 1 to 3 of its first element.
_EXPORT_FIELD, _INNER_FIELDS = 0x0A, (0x0A, 0x12, 0x1A)
_CONTROL = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f]")
_LINES_LOOKED_AT = 20
_HEADING = re.compile(rb'"?[\w .-]{1,60}"?(?:([,;\t])"?[\w .-]{1,60}"?)+\r?')


class Shape(StrEnum):
    EMPTY = "empty"
    LINES = "lines"
    ITEMS = "list"
    VALUES = "document"
    PROTOBUF = "protobuf"
    CSV = "csv"
    TEXT = "text"


def encoding_of(head: bytes) -> str:
    """The encoding that a byte order mark announces; "" for none but UTF-8's."""
    return next((name for mark, name in _WIDE if head.startswith(mark)), "")


def shape_of(head: bytes, *, ended: bool) -> Shape:
    """How rows lie in a stream that begins with `head`; `ended`: that is all of it."""
    if _is_export(head):
        return Shape.PROTOBUF
    body = head.removeprefix(BOM).lstrip(_SPACE)
    lines = [line.strip() for line in body.split(b"\n", _LINES_LOOKED_AT + 1)]
    # What stands behind the last newline may go on beyond the head.
    complete = [line for line in (lines if ended else lines[:-1])[:_LINES_LOOKED_AT] if line]
    if not body:
        return Shape.EMPTY
    if body[:1] == b"[":
        return Shape.LINES if len(lines) > 1 and is_json(complete[0]) and lines[1] else Shape.ITEMS
    if body[:1] == b"{":
        if not complete:
            return Shape.VALUES
        # Where the first line alone is broken, those below it are lines all the same.
        rest = complete[1:]
        follows = is_json(complete[0]) or 2 * sum(map(is_json, rest)) > len(rest)
        return Shape.LINES if follows else Shape.VALUES
    if any(map(is_json, complete)):
        return Shape.LINES
    return Shape.CSV if _is_table(complete) else Shape.TEXT


def is_json(line: bytes) -> bool:
    if not line.startswith((b"{", b"[")):
        return False
    try:
        decode(line)
    except NotJsonError:
        return False
    return True


def _is_table(lines: list[bytes]) -> bool:
    heading = _HEADING.fullmatch(lines[0]) if len(lines) > 1 else None
    return heading is not None and lines[1].count(heading[1]) >= lines[0].count(heading[1])


def _is_export(head: bytes) -> bool:
    """Whether this is an OTLP export request in protobuf: text holds no control characters."""
    if head[:1] != bytes([_EXPORT_FIELD]) or not _CONTROL.search(head):
        return False
    length, at = _varint(head, 1)
    if not 0 < at < len(head) or (length and head[at] not in _INNER_FIELDS):
        return False
    return at + length >= len(head) or head[at + length] == _EXPORT_FIELD


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """The number at `at` and where it ends; -1 when it does not end."""
    value = shift = 0
    for index in range(at, min(at + 10, len(data))):
        value |= (data[index] & 0x7F) << shift
        shift += 7
        if data[index] < 0x80:
            return value, index + 1
    return value, -1
