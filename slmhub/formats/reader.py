"""Files and lines of any known format as records; what cannot be read becomes a reject, no exception."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from slmhub.formats.lines import BrokenStreamError, Limits, Line, lines_of
from slmhub.formats.merge import add_issue
from slmhub.formats.records import Issue, MalformedError, Record, Reject
from slmhub.formats.registry import AUTO, Format, claiming, formats_named

_EXCERPT = 200
_DEEPEST = 100
_BOM = b"\xef\xbb\xbf"
_DEFAULT_LIMITS = Limits()


def read(
    source: str | Path | BinaryIO, format: str = AUTO, *, limits: Limits = _DEFAULT_LIMITS
) -> Iterator[Record | Reject]:
    """Records and rejects of a file or stream, in order, in constant memory. Raises UnknownFormatError."""
    formats = formats_named(format)
    if isinstance(source, str | Path):
        return _read_file(Path(source), formats, limits)
    return _read_stream(source, formats, limits)


def detect(first_lines: Iterable[bytes]) -> str | None:
    """The format of the first line that any format claims."""
    for line in first_lines:
        try:
            row = orjson.loads(line.removeprefix(_BOM))
        except orjson.JSONDecodeError:
            continue
        if found := claiming(row):
            return found.name
    return None


def parse_line(line: bytes, number: int = 1, format: str = AUTO) -> Record | Reject:
    """One JSON line that holds one span, or the reason why not. Raises UnknownFormatError."""
    found = _parse(line, number, formats_named(format))
    return found[0] if len(found) == 1 else Reject(number, _not_one(found), _excerpt(line))


def parse_row(row: Any, format: str = AUTO) -> Record:
    """One decoded JSON object that holds one span. Raises MalformedError, UnknownFormatError."""
    found = parse_rows(row, format)
    if len(found) != 1 or isinstance(found[0], Reject):
        raise MalformedError(_not_one(found))
    return found[0]


def parse_rows(row: Any, format: str = AUTO) -> list[Record | Reject]:
    """The spans of one decoded JSON value. Raises MalformedError, UnknownFormatError."""
    return _records_of(row, formats_named(format))


def _not_one(found: list[Record | Reject]) -> str:
    reject = next((item for item in found if isinstance(item, Reject)), None)
    return reject.reason if reject else f"holds {len(found)} spans, expected one"


def _read_file(path: Path, formats: tuple[Format, ...], limits: Limits) -> Iterator[Record | Reject]:
    with path.open("rb") as stream:
        yield from _read_stream(stream, formats, limits)


def _read_stream(stream: BinaryIO, formats: tuple[Format, ...], limits: Limits) -> Iterator[Record | Reject]:
    try:
        for line in lines_of(stream, limits):
            if line.too_long:
                yield _too_long(line, limits)
            elif line.data.strip():
                yield from _parse(line.data, line.number, formats)
    except BrokenStreamError as broken:
        yield Reject(broken.line, str(broken), "")


def _too_long(line: Line, limits: Limits) -> Reject:
    return Reject(line.number, f"the line is longer than {limits.line_bytes:,} bytes", _excerpt(line.data))


def _parse(line: bytes, number: int, formats: tuple[Format, ...]) -> list[Record | Reject]:
    try:
        row = _decoded(line.removeprefix(_BOM) if number == 1 else line)
        found = _records_of(row, formats)
    except MalformedError as error:
        return [Reject(number, str(error), _excerpt(line))]
    for item in found:
        if isinstance(item, Reject):
            item.line = number
    return found


def _decoded(line: bytes) -> Any:
    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise MalformedError(_why_not_json(line, error)) from error


def _why_not_json(line: bytes, error: orjson.JSONDecodeError) -> str:
    if b"\0" in line:
        return "the line holds NUL bytes"
    try:
        line.decode()
    except UnicodeDecodeError as undecodable:
        return f"the line is not UTF-8: byte {undecodable.start} is 0x{line[undecodable.start]:02x}"
    return f"the line is not JSON: {error.msg} at character {error.pos}"


def _records_of(row: Any, formats: tuple[Format, ...]) -> list[Record | Reject]:
    if not isinstance(row, dict | list):
        raise MalformedError(f"the line is a JSON {type(row).__name__}, expected one object a line")
    found = claiming(row, formats)
    if found is None:
        raise MalformedError(_unknown_shape(row, formats))
    cleaned = _cleaned(row)
    records = list(found.records(cleaned))
    if cleaned is not row:
        for record in records:
            if isinstance(record, Record):
                add_issue(record, Issue.NUL_REPLACED)
    return records


def _unknown_shape(row: Any, formats: tuple[Format, ...]) -> str:
    if isinstance(row, list):
        return "the line is a JSON list, expected one object a line"
    keys = ", ".join(sorted(key[:40] for key in row)[:12]) or "none"
    expected = "; or ".join(f"{known.expected} ({known.name})" for known in formats)
    return f"unknown shape: keys {keys}; expected {expected}"


def _cleaned(value: Any, depth: int = 0) -> Any:
    """The same value when it holds no NUL, which no database stores; else a copy with U+FFFD instead."""
    if isinstance(value, str):
        return value.replace("\0", "\ufffd") if "\0" in value else value
    if not isinstance(value, list | dict):
        return value
    if depth > _DEEPEST:
        raise MalformedError(f"the JSON is nested deeper than {_DEEPEST} levels")
    if isinstance(value, list):
        items = [_cleaned(item, depth + 1) for item in value]
        return items if _differs(items, value) else value
    pairs = {_cleaned(key): _cleaned(item, depth + 1) for key, item in value.items()}
    return pairs if _differs(pairs, value) or _differs(pairs.values(), value.values()) else value


def _differs(new: Iterable[Any], old: Iterable[Any]) -> bool:
    return any(left is not right for left, right in zip(new, old, strict=False))


def _excerpt(line: bytes) -> str:
    return line[: 4 * _EXCERPT].decode(errors="replace").replace("\0", "\ufffd")[:_EXCERPT]
