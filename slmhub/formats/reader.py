"""Files and lines of any known format as records; what cannot be read becomes a reject, no exception."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import orjson

from slmhub.formats import openai_chat, openai_finetune
from slmhub.formats.lines import BrokenStreamError, Limits, Line, lines_of
from slmhub.formats.records import Issue, MalformedError, Record, Reject

AUTO = "auto"
_EXCERPT = 200
_DEEPEST = 100
_BOM = b"\xef\xbb\xbf"
_DEFAULT_LIMITS = Limits()


class Format(NamedTuple):
    name: str
    expected: str
    matches: Callable[[dict[str, Any]], bool]
    parse: Callable[[dict[str, Any]], Record]


# The first that matches wins: the more specific shape stands first.
FORMATS = tuple(
    Format(module.NAME, module.EXPECTED, module.matches, module.parse)
    for module in (openai_chat, openai_finetune)
)


class UnknownFormatError(ValueError):
    """A format name that nobody here reads."""


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
        found = _claiming(row, FORMATS) if isinstance(row, dict) else None
        if found:
            return found.name
    return None


def parse_line(line: bytes, number: int = 1, format: str = AUTO) -> Record | Reject:
    """One JSON line as a record, or the reason why not. Raises UnknownFormatError."""
    return _parse(line, number, formats_named(format))


def parse_row(row: Any, format: str = AUTO) -> Record:
    """One decoded JSON object as a record. Raises MalformedError, UnknownFormatError."""
    return _record_of(row, formats_named(format))


def formats_named(format: str) -> tuple[Format, ...]:
    """All formats for "auto", else the one of that name. Raises UnknownFormatError."""
    chosen = tuple(known for known in FORMATS if format in (AUTO, known.name))
    if not chosen:
        known = ", ".join(known.name for known in FORMATS)
        raise UnknownFormatError(f"unknown format {format!r}; known: auto, {known}")
    return chosen


def _read_file(path: Path, formats: tuple[Format, ...], limits: Limits) -> Iterator[Record | Reject]:
    with path.open("rb") as stream:
        yield from _read_stream(stream, formats, limits)


def _read_stream(stream: BinaryIO, formats: tuple[Format, ...], limits: Limits) -> Iterator[Record | Reject]:
    try:
        for line in lines_of(stream, limits):
            if line.too_long:
                yield _too_long(line, limits)
            elif line.data.strip():
                yield _parse(line.data, line.number, formats)
    except BrokenStreamError as broken:
        yield Reject(broken.line, str(broken), "")


def _too_long(line: Line, limits: Limits) -> Reject:
    return Reject(line.number, f"the line is longer than {limits.line_bytes:,} bytes", _excerpt(line.data))


def _parse(line: bytes, number: int, formats: tuple[Format, ...]) -> Record | Reject:
    try:
        row = _decoded(line.removeprefix(_BOM) if number == 1 else line)
        record = _record_of(row, formats)
    except MalformedError as error:
        return Reject(number, str(error), _excerpt(line))
    return record


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


def _record_of(row: Any, formats: tuple[Format, ...]) -> Record:
    if not isinstance(row, dict):
        raise MalformedError(f"the line is a JSON {type(row).__name__}, expected one object a line")
    found = _claiming(row, formats)
    if found is None:
        raise MalformedError(_unknown_shape(row, formats))
    cleaned = _cleaned(row)
    record = found.parse(cleaned)
    if cleaned is not row:
        record.attributes["issues"] = sorted({*record.attributes.get("issues", ()), Issue.NUL_REPLACED})
    return record


def _claiming(row: dict[str, Any], formats: tuple[Format, ...]) -> Format | None:
    return next((known for known in formats if known.matches(row)), None)


def _unknown_shape(row: dict[str, Any], formats: tuple[Format, ...]) -> str:
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
