"""A look at the first rows of a file: what it is, what would be read, and what would not."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from slmhub.formats.files.containers import MIB, BrokenStreamError, Limits, Member, members_of
from slmhub.formats.files.detection import Shape
from slmhub.formats.files.documents import RawRow, rows_of
from slmhub.formats.mapped import Mapping
from slmhub.formats.reader import DEFAULT_LIMITS, ReadOptions, decoded, read_body, read_row
from slmhub.formats.records import MalformedError, Record, Reject
from slmhub.formats.registry import AUTO, claiming, formats_named

_MOST_BYTES = 4 * MIB
_MOST_ROWS = 200
_SHOWN = 10
_KEYS = 30


class Peek(msgspec.Struct, kw_only=True):
    """`format` is "" when no row is of a known one; then `unknown` holds a few rows to draw a mapping from.

    `rows_estimated` is None where the size of the rest says nothing (an archive of several files).
    """

    format: str = ""
    container: str = "plain"
    shape: str = Shape.EMPTY.value
    first: list[Record] = msgspec.field(default_factory=list)
    rejects: list[Reject] = msgspec.field(default_factory=list)
    keys: list[str] = msgspec.field(default_factory=list)
    unknown: list[Any] = msgspec.field(default_factory=list)
    rows_seen: int = 0
    rows_estimated: int | None = None


def peek(
    source: str | Path | BinaryIO,
    limits: Limits = DEFAULT_LIMITS,
    *,
    format: str = AUTO,
    mapping: Mapping | None = None,
    most_bytes: int = _MOST_BYTES,
) -> Peek:
    """Reads at most `most_bytes` unpacked bytes. Raises OSError for a file that cannot be opened."""
    # A long document is looked at item by item, so that its first items fit.
    small = replace(
        limits,
        document_bytes=min(limits.document_bytes, most_bytes // 2),
        line_bytes=min(limits.line_bytes, most_bytes),
    )
    options = ReadOptions(formats_named(format), small, mapping)
    if isinstance(source, str | Path):
        with Path(source).open("rb") as stream:
            return _looked(stream, options, most_bytes)
    return _looked(source, options, most_bytes)


def _looked(stream: BinaryIO, options: ReadOptions, most_bytes: int) -> Peek:
    found = Peek()
    try:
        member = next(members_of(stream, options.limits), None)
        if member is not None:
            _look(member, stream, options, found, most_bytes)
    except BrokenStreamError as broken:
        found.rejects.append(Reject(broken.line, str(broken), ""))
    return found


def _look(member: Member, stream: BinaryIO, options: ReadOptions, found: Peek, most_bytes: int) -> None:
    begin = _Begin(member.blocks, most_bytes)
    blocks = iter(begin)
    found.container = member.container
    rows = rows_of(blocks, options.limits)
    found.shape = rows.shape.value
    if rows.shape is Shape.PROTOBUF:
        _keep(found, islice(read_body(rows, options), _MOST_ROWS))
        found.format = "otlp"
        return
    formats: Counter[str] = Counter()
    row_bytes = 0
    try:
        for row in islice(rows.rows, _MOST_ROWS):
            row_bytes += len(row.data) + 1
            # The last row of a begin is cut by us, not by its sender.
            if not (begin.cut and row.fault):
                found.rows_seen += 1
                _look_at_row(row, options, found, formats)
    finally:
        found.format = formats.most_common(1)[0][0] if formats else ""
        # The more was unpacked, the better the share of the file is known.
        deque(blocks, maxlen=0)
        found.rows_estimated = _estimated(found, begin, stream, row_bytes)


def _look_at_row(row: RawRow, options: ReadOptions, found: Peek, formats: Counter[str]) -> None:
    _keep(found, read_row(row, options))
    if row.fault:
        return
    try:
        value, _ = decoded(row.data)
    except MalformedError:
        return
    known = claiming(value, options.formats)
    if known is not None:
        formats[known.name] += 1
    elif isinstance(value, dict) and len(found.unknown) < _SHOWN:
        found.unknown.append(value)
        found.keys = sorted({*found.keys, *(key[:80] for key in value)})[:_KEYS]


def _keep(found: Peek, items: Iterator[Record | Reject]) -> None:
    for item in items:
        if isinstance(item, Record) and len(found.first) < _SHOWN:
            found.first.append(item)
        elif isinstance(item, Reject) and len(found.rejects) < _SHOWN:
            found.rejects.append(item)


class _Begin:
    """The blocks up to `most` bytes; `cut` when there were more."""

    def __init__(self, blocks: Iterator[bytes], most: int) -> None:
        self.blocks = blocks
        self.most = most
        self.given = 0
        self.cut = False
        self.ended = False

    def __iter__(self) -> Iterator[bytes]:
        for block in self.blocks:
            if self.given + len(block) > self.most:
                self.cut = True
                block = block[: self.most - self.given]
            self.given += len(block)
            yield block
            if self.cut:
                return
        self.ended = True


def _estimated(found: Peek, begin: _Begin, stream: BinaryIO, row_bytes: int) -> int | None:
    """RawRows of the whole file, by the length of those seen and the share of the file that was taken."""
    if begin.ended and found.rows_seen < _MOST_ROWS:
        return found.rows_seen
    if found.container == "zip" or not stream.seekable() or not row_bytes:
        return None
    at = stream.tell()
    size = stream.seek(0, 2)
    stream.seek(at)
    return round(found.rows_seen * begin.given / row_bytes * size / at)
