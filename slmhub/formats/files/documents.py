"""The rows of a stream of bytes: JSON lines, a list of any length, documents one after another, OTLP bodies.

Every row comes as its own JSON text, so that one bad row costs no other. A document that is too long to be
held is read as many short ones, each with one item of its list.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from itertools import chain
from typing import Any, NamedTuple

import ijson
import orjson

from slmhub.formats.files.containers import CHUNK, BrokenStreamError, Limits, headed
from slmhub.formats.files.detection import BOM, Shape, encoding_of, shape_of
from slmhub.formats.files.lines import lines_in

LISTS = (
    "simulations", "runs", "observations", "data", "batch", "resourceSpans", "resource_spans",
    "conversations", "post",
)  # fmt: skip
# A document without a known list may be this many times longer than one that is read at once.
_HELD = 8
_HEAD = _READ_AHEAD = 64 * 1024
_NEXT = re.compile(rb'(?:[^"\[\]{}]++|"(?:[^"\\]++|\\.)*+")*+[\[\]{}]', re.DOTALL)
_SPACE = re.compile(rb"[\s\x1e]*+")
_SCALAR = re.compile(rb'(?:[^",\]\n]++|"(?:[^"\\]++|\\.)*+")*+', re.DOTALL)
_OPENING = b"[{"
_NOT_JSON = {
    Shape.CSV: "this looks like a CSV table; export JSON lines instead, one call a line "
    "(pandas: read_csv(…).to_json('calls.jsonl', orient='records', lines=True))",
    Shape.TEXT: "this is not JSON; expected JSON lines, a JSON list or document, or an OTLP body",
}


class RawRow(NamedTuple):
    """`data` is JSON text; `place` says what `number` counts if no line; `fault` says why it is no row."""

    number: int
    data: bytes
    place: str = ""
    fault: str = ""


class RawRows(NamedTuple):
    """`PROTOBUF` has no rows but blocks of one body."""

    shape: Shape
    rows: Iterator[RawRow]
    blocks: Iterator[bytes]


def rows_of(blocks: Iterator[bytes], limits: Limits) -> RawRows:
    """Raises BrokenStreamError, as do the rows."""
    head, blocks = headed(blocks, 4)
    blocks = _as_utf8(encoding_of(head), blocks)
    head, ended, blocks = _telling_head(blocks, limits)
    shape = shape_of(head, ended=ended)
    first = next(blocks, b"")
    blocks = chain([first.removeprefix(BOM)], blocks)
    if shape is Shape.PROTOBUF:
        return RawRows(shape, iter(()), chain([b""], blocks))
    return RawRows(shape, _READERS[shape](blocks, limits), iter(()))


def _telling_head(blocks: Iterator[bytes], limits: Limits) -> tuple[bytes, bool, Iterator[bytes]]:
    """A head with the whole first line, unless that is longer than a line may be; and whether it is all."""
    size = min(_HEAD, limits.line_bytes)
    head, blocks = headed(blocks, size)
    while b"\n" not in head.lstrip() and len(head) >= size and size < limits.line_bytes:
        if head.lstrip()[:1] == b"[" and size > CHUNK:
            break
        size = min(4 * size, limits.line_bytes)
        head, blocks = headed(blocks, size)
    return head, len(head) < size, blocks


def _as_utf8(encoding: str, blocks: Iterator[bytes]) -> Iterator[bytes]:
    if not encoding:
        yield from blocks
        return
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        for block in blocks:
            yield decoder.decode(block).encode()
        yield decoder.decode(b"", final=True).encode()
    except UnicodeError as error:
        raise BrokenStreamError(
            f"the text is not valid {encoding.upper()}: {error}; save it as UTF-8"
        ) from error


def _lines(blocks: Iterator[bytes], limits: Limits) -> Iterator[RawRow]:
    for line in lines_in(blocks, limits):
        if line.too_long:
            yield RawRow(line.number, line.data, "", f"the line is longer than {limits.line_bytes:,} bytes")
        elif line.data.strip():
            yield RawRow(line.number, line.data)


def _no_rows(blocks: Iterator[bytes], limits: Limits) -> Iterator[RawRow]:
    yield from ()


def _not_json(shape: Shape) -> Any:
    def refuse(blocks: Iterator[bytes], limits: Limits) -> Iterator[RawRow]:
        for line in lines_in(blocks, limits):
            if line.data.strip():
                yield RawRow(line.number, line.data, "", _NOT_JSON[shape])
                return

    return refuse


class _EndlessError(Exception):
    """A value is longer than allowed and cannot be stepped over."""


class _CutError(Exception):
    """The stream ends inside a value."""


class _Text:
    """A stream of JSON text, taken value by value."""

    def __init__(self, blocks: Iterator[bytes]) -> None:
        self.blocks = blocks
        self.held = b""
        self.at = 0
        self.lines_before = 0

    def more(self, size: int = 1) -> bool:
        """Appends at least `size` bytes, dropping what was taken; False at the end."""
        self.lines_before += self.held.count(b"\n", 0, self.at)
        pieces, grown = [self.held[self.at :]], 0
        while grown < size and (block := next(self.blocks, None)) is not None:
            pieces.append(block)
            grown += len(block)
        self.held, self.at = b"".join(pieces), 0
        return grown > 0

    def line(self) -> int:
        return self.lines_before + self.held.count(b"\n", 0, self.at) + 1

    def following(self) -> bytes:
        """The next byte that is no space, b"" at the end."""
        while True:
            self.at = _end(_SPACE, self.held, self.at)
            if self.at < len(self.held):
                return self.held[self.at : self.at + 1]
            if not self.more():
                return b""

    def container(self, most: int) -> bytes:
        """Takes the object or list that begins here; when it is longer than `most`, nothing is taken.

        Raises _EndlessError, _CutError.
        """
        depth = offset = 0
        while True:
            found = _NEXT.match(self.held, self.at + offset)
            if found is None:
                self._widen(most)
                continue
            end = found.end()
            depth += 1 if self.held[end - 1] in _OPENING else -1
            offset = end - self.at
            if offset > most:
                raise _EndlessError
            if depth == 0:
                data, self.at = self.held[self.at : end], end
                return data

    def pass_over(self, most: int) -> None:
        """Steps over a container without holding it. Raises _EndlessError for one long text, _CutError."""
        depth = 0
        while True:
            found = _NEXT.match(self.held, self.at)
            if found is None:
                self._widen(most)
                continue
            self.at = found.end()
            depth += 1 if self.held[self.at - 1] in _OPENING else -1
            if depth == 0:
                return

    def scalar(self, most: int) -> bytes:
        """Takes what stands up to the next comma, bracket or line end."""
        while True:
            end = _end(_SCALAR, self.held, self.at)
            if end < len(self.held) and self.held[end : end + 1] != b'"':
                break
            if len(self.held) - self.at > most:
                raise _EndlessError
            if not self.more(len(self.held) - self.at):
                end = len(self.held)
                break
        data, self.at = self.held[self.at : max(end, self.at + 1)], max(end, self.at + 1)
        return data

    def rest(self) -> Iterator[bytes]:
        return chain([self.held[self.at :]], self.blocks)

    def _widen(self, most: int) -> None:
        held = len(self.held) - self.at
        if held > most:
            raise _EndlessError
        # Doubling keeps the scans of one long string linear.
        if not self.more(max(held, 1)):
            raise _CutError


def _end(pattern: re.Pattern[bytes], data: bytes, at: int) -> int:
    found = pattern.match(data, at)
    return found.end() if found else at


def _values(blocks: Iterator[bytes], limits: Limits) -> Iterator[RawRow]:
    text = _Text(blocks)
    try:
        while following := text.following():
            if following == b"[":
                yield from _items(text, limits)
            elif following == b"{":
                yield from _document(text, limits)
            else:
                yield RawRow(text.line(), text.scalar(limits.line_bytes))
    except BrokenStreamError as broken:
        broken.line = text.line()
        raise
    except _EndlessError:
        yield RawRow(
            text.line(), text.held[text.at :][:CHUNK], "", f"longer than {limits.line_bytes:,} bytes"
        )


def _document(text: _Text, limits: Limits) -> Iterator[RawRow]:
    line = text.line()
    try:
        yield RawRow(line, text.container(limits.document_bytes))
    except _CutError:
        head, text.at = text.held[text.at : text.at + CHUNK], len(text.held)
        yield RawRow(line, head, "", "the JSON ends before its end: the file is truncated")
    except _EndlessError:
        yield from _long_document(text, limits)


def _items(text: _Text, limits: Limits) -> Iterator[RawRow]:
    text.at += 1
    number = 0
    while following := text.following():
        if following == b"]":
            text.at += 1
            return
        if following == b",":
            text.at += 1
            continue
        number += 1
        place = f"item {number} of the list: "
        if following not in (b"{", b"["):
            yield RawRow(number, text.scalar(limits.line_bytes), place)
            continue
        try:
            yield _item(text, number, place, limits)
        except _CutError:
            head, text.at = text.held[text.at : text.at + CHUNK], len(text.held)
            yield RawRow(number, head, place, "the list ends inside this item: the file is truncated")
            return
    yield RawRow(number, b"", f"after item {number}: ", "the list has no end: the file is truncated")


def _item(text: _Text, number: int, place: str, limits: Limits) -> RawRow:
    try:
        return RawRow(number, text.container(limits.line_bytes), place)
    except _EndlessError:
        head = text.held[text.at : text.at + CHUNK]
        text.pass_over(limits.line_bytes)
        return RawRow(number, head, place, f"longer than {limits.line_bytes:,} bytes")


class _Bytes:
    """A file of the blocks; `mark` is where the value that is being read began."""

    def __init__(self, blocks: Iterator[bytes], most: int) -> None:
        self.blocks = blocks
        self.most = most
        self.block = b""
        self.at = self.given = self.mark = 0

    def read(self, size: int = -1) -> bytes:
        while self.at >= len(self.block) and size != 0 and (block := next(self.blocks, None)) is not None:
            self.block, self.at = block, 0
        data = self.block[self.at : self.at + size]
        self.at += len(data)
        self.given += len(data)
        # ijson reads ahead.
        if self.given - self.mark > self.most + _READ_AHEAD:
            raise BrokenStreamError(
                f"the JSON document is longer than {self.most:,} bytes without an item of a list of "
                f"{', '.join(LISTS[:4])} or the like; send JSON lines"
            )
        return data


def _long_document(text: _Text, limits: Limits) -> Iterator[RawRow]:
    """One row an item of the first known list, each with all that stands before the list."""
    line, source = text.line(), _Bytes(text.rest(), _HELD * limits.document_bytes)
    text.held, text.at = b"", 0
    try:
        yield from _unrolled(ijson.basic_parse(source, use_float=True, buf_size=_READ_AHEAD), source)
    except (ijson.JSONError, ValueError, OverflowError) as error:
        if isinstance(error, BrokenStreamError):
            raise
        # The parser's message goes on with the text around the place.
        reason = str(error).partition("\n")[0][:200]
        yield RawRow(line, b"", "", f"the JSON document is damaged or truncated: {reason}")


def _unrolled(events: Iterator[tuple[str, Any]], source: _Bytes) -> Iterator[RawRow]:
    before: dict[str, Any] = {}
    unread: list[str] = []
    number = 0
    next(events)
    for event, key in events:
        if event != "map_key":
            break
        first = next(events)
        if number or first[0] != "start_array" or key not in LISTS:
            # What follows the list can no longer reach its items.
            value = _built(first, events, keep=not number)
            if number:
                source.mark = source.given
                unread.append(key)
            else:
                before[key] = value
            continue
        while (first := next(events))[0] != "end_array":
            number += 1
            data = orjson.dumps({**before, key: [_built(first, events, keep=True)]})
            source.mark = source.given
            yield RawRow(number, data, f"item {number} of {key}: ")
    if not number:
        yield RawRow(1, orjson.dumps(before))
    elif unread:
        fault = f"the document was read item by item; its keys {', '.join(unread)[:200]} were not read"
        yield RawRow(number, b"", "", fault)


def _built(first: tuple[str, Any], events: Iterator[tuple[str, Any]], *, keep: bool) -> Any:
    builder = ijson.ObjectBuilder()
    depth = 0
    for event, value in chain([first], events):
        if keep:
            builder.event(event, value)
        depth += (event in ("start_map", "start_array")) - (event in ("end_map", "end_array"))
        if depth == 0:
            break
    return builder.value if keep else None


_READERS = {
    Shape.EMPTY: _no_rows,
    Shape.LINES: _lines,
    Shape.ITEMS: _values,
    Shape.VALUES: _values,
    Shape.CSV: _not_json(Shape.CSV),
    Shape.TEXT: _not_json(Shape.TEXT),
}
