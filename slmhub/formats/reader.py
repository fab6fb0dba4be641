"""Files and lines of any known format as records; what cannot be read becomes a reject, no exception."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from slmhub.formats import mapped
from slmhub.formats.fields import EXCERPT, excerpt_of, nests_deeper
from slmhub.formats.files.containers import MIB, BrokenStreamError, Limits, Member, members_of
from slmhub.formats.files.detection import Shape
from slmhub.formats.files.documents import RawRow, RawRows, rows_of
from slmhub.formats.foreign_json import NotJsonError, decode
from slmhub.formats.mapped import Mapping
from slmhub.formats.merge import add_issue
from slmhub.formats.otlp.read import records_of_logs, records_of_spans
from slmhub.formats.otlp.wire import LogData, SpanData, WireError, logs_of_protobuf, spans_of_protobuf
from slmhub.formats.records import Issue, MalformedError, Record, Reject
from slmhub.formats.registry import AUTO, Format, claiming, formats_named, unknown_shape
from slmhub.formats.storable import DEEPEST, may_hold_nul, storable, storable_json, storable_text

_BATCH = "batch"
_EXPORT_BYTES = 64 * MIB
_WRAPPERS = (
    "data", "rows", "items", "records", "results", "calls", "logs", "examples", "traces", "conversations",
)  # fmt: skip
DEFAULT_LIMITS = Limits()

Item = Record | Reject


class ReadOptions(NamedTuple):
    """How to read: one of the formats claims a row, or the mapping reads every row.

    `delivery` is the trace of records that name none (the lines of OpenAI's batch files).
    """

    formats: tuple[Format, ...]
    limits: Limits = DEFAULT_LIMITS
    mapping: Mapping | None = None
    delivery: str = ""


def read(
    source: str | Path | BinaryIO,
    format: str = AUTO,
    *,
    limits: Limits = DEFAULT_LIMITS,
    mapping: Mapping | None = None,
    delivery: str = "",
) -> Iterator[Item]:
    """Records and rejects of a file or stream, in order, in constant memory. Raises UnknownFormatError."""
    options = ReadOptions(formats_named(format), limits, mapping, delivery)
    if isinstance(source, str | Path):
        return _read_file(Path(source), options)
    return _read_stream(source, options)


def parse_row(row: Any, format: str = AUTO) -> Record:
    """One decoded JSON object that holds one span. Raises MalformedError, UnknownFormatError."""
    found = parse_rows(row, format)
    for item in found:
        if isinstance(item, Reject):
            raise MalformedError(item.reason)
    if len(found) != 1 or not isinstance(found[0], Record):
        raise MalformedError(f"holds {len(found)} spans, expected one")
    return found[0]


def parse_rows(row: Any, format: str = AUTO, *, delivery: str = "") -> list[Item]:
    """The spans of one decoded JSON value. Raises MalformedError, UnknownFormatError."""
    if nests_deeper(row, DEEPEST):
        raise MalformedError(_TOO_DEEP)
    clean = storable(row)
    options = ReadOptions(formats_named(format), delivery=delivery)
    return list(_noted(_records_of_row(clean, options), clean is not row and clean != row))


def _read_file(path: Path, options: ReadOptions) -> Iterator[Item]:
    with path.open("rb") as stream:
        yield from _read_stream(stream, options)


def _read_stream(stream: BinaryIO, options: ReadOptions) -> Iterator[Item]:
    try:
        for member in members_of(stream, options.limits):
            yield from _read_member(member, options)
    except BrokenStreamError as broken:
        yield Reject(broken.line, str(broken), "")


def _read_member(member: Member, options: ReadOptions) -> Iterator[Item]:
    within = f"{member.name}: " if member.name else ""
    try:
        for item in read_body(rows_of(member.blocks, options.limits), options):
            if isinstance(item, Reject):
                item.reason = within + item.reason
            yield item
    except BrokenStreamError as broken:
        yield Reject(broken.line, within + str(broken), "")


def read_body(found: RawRows, options: ReadOptions) -> Iterator[Item]:
    """Raises BrokenStreamError."""
    if found.shape is Shape.PROTOBUF:
        yield from _export(found.blocks, options)
    for row in found.rows:
        yield from read_row(row, options)


def _export(blocks: Iterator[bytes], options: ReadOptions) -> Iterator[Item]:
    """The spans or log events of one OTLP body in protobuf."""
    pieces, size = [], 0
    for block in blocks:
        pieces.append(block)
        size += len(block)
        if size > _EXPORT_BYTES:
            raise BrokenStreamError(f"the OTLP body is longer than {_EXPORT_BYTES:,} bytes")
    body = b"".join(pieces)
    try:
        spans = spans_of_protobuf(body)
        yield from _records(records_of_spans, spans, SpanData)
    except WireError as no_spans:
        try:
            logs = logs_of_protobuf(body)
        except WireError:
            yield Reject(1, f"binary data that is no OTLP export: {no_spans}", "")
            return
        yield from _records(records_of_logs, logs, LogData)


def _records(read: Any, found: list[Any], kind: type) -> Iterator[Item]:
    yield from (item for item in found if isinstance(item, Reject))
    yield from read([item for item in found if isinstance(item, kind)])


def read_row(row: RawRow, options: ReadOptions) -> Iterator[Item]:
    """The spans of one row, or why there is none."""
    try:
        if row.fault:
            raise MalformedError(row.fault)
        value, replaced = decoded(row.data)
        for item in _noted(_records_of_row(value, options), replaced):
            if isinstance(item, Reject):
                item.line, item.reason = row.number, row.place + item.reason
            yield item
    except MalformedError as error:
        yield Reject(row.number, row.place + str(error), _excerpt(row.data))


def _records_of_row(value: Any, options: ReadOptions) -> Iterator[Item]:
    """The spans of a clean value. Raises MalformedError."""
    if options.mapping is not None:
        yield mapped.apply(value, options.mapping)
        return
    found = claiming(value, options.formats)
    if found is not None:
        for record in found.records(value):
            if isinstance(record, Record) and not record.trace_id:
                record.trace_id = options.delivery or _BATCH
            yield record
        return
    rows = _wrapped(value, options.formats)
    if not rows:
        raise MalformedError(unknown_shape(value, options.formats))
    for number, row in enumerate(rows, 1):
        try:
            if claiming(row, options.formats) is None:
                raise MalformedError(unknown_shape(row, options.formats))
            yield from _records_of_row(row, options)
        except MalformedError as error:
            yield Reject(0, f"item {number}: {error}", excerpt_of(row))


def _wrapped(value: Any, formats: tuple[Format, ...]) -> list[Any]:
    """The rows of an object that only stands around a list of them, as many exports have it."""
    for key in _WRAPPERS if isinstance(value, dict) else ():
        rows = value.get(key)
        if isinstance(rows, list) and rows and claiming(rows[0], formats):
            return rows
    return []


def decoded(line: bytes) -> tuple[Any, bool]:
    """The JSON value, and whether NUL characters in it were replaced. Raises MalformedError."""
    try:
        row = decode(line)
    except NotJsonError as error:
        raise MalformedError(f"the line {error}") from error
    # The whole tree is only looked through where it might be deep or hold a NUL: this is the hot path.
    if line.count(b"{") + line.count(b"[") > DEEPEST and nests_deeper(row, DEEPEST):
        raise MalformedError(_TOO_DEEP)
    if not may_hold_nul(line):
        return row, False
    clean = storable_json(row)
    return clean, clean != row


_TOO_DEEP = f"the JSON is nested deeper than {DEEPEST} levels"


def _noted(found: Iterator[Item], replaced: bool) -> Iterator[Item]:
    for item in found:
        if replaced and isinstance(item, Record):
            add_issue(item, Issue.NUL_REPLACED)
        yield item


def _excerpt(line: bytes) -> str:
    return storable_text(line[: 4 * EXCERPT].decode(errors="replace"))[:EXCERPT]
