"""Bounded lines of a byte stream that nobody vouches for, plain or gzip, in constant memory."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

MIB = 1024 * 1024
CHUNK = 256 * 1024
_GZIP = b"\x1f\x8b"
_FOREIGN = {b"PK\x03\x04": "zip", b"\x28\xb5\x2f\xfd": "zstandard", b"BZh": "bzip2", b"\xfd7zXZ": "xz"}


@dataclass(frozen=True)
class Limits:
    """`expansion`: unpacked to packed bytes at most, enforced beyond `expansion_floor` unpacked bytes."""

    line_bytes: int = 16 * MIB
    expansion: int = 250
    expansion_floor: int = 64 * MIB
    total_bytes: int = 64 * 1024 * MIB


@dataclass(frozen=True)
class Line:
    number: int
    data: bytes
    too_long: bool = False


class BrokenStreamError(ValueError):
    """The stream cannot be read further; what came before it is good."""

    line = 1


def lines_of(stream: BinaryIO, limits: Limits) -> Iterator[Line]:
    """Numbered lines without their end. Raises BrokenStreamError, its `line` set to where reading stopped."""
    number, held, skipping = 1, bytearray(), False
    try:
        for block in _blocks(stream, limits):
            *ended, rest = block.split(b"\n")
            for part in ended:
                yield _line(number, held, part, skipping, limits)
                number, skipping = number + 1, False
                held.clear()
            if not skipping:
                held += rest
            if len(held) > limits.line_bytes:
                skipping = True
                del held[CHUNK:]
        if held:
            yield _line(number, held, b"", skipping, limits)
    except BrokenStreamError as broken:
        broken.line = number
        raise


def _line(number: int, held: bytearray, part: bytes, skipping: bool, limits: Limits) -> Line:
    if skipping or len(held) + len(part) > limits.line_bytes:
        return Line(number, bytes(held[:CHUNK] or part[:CHUNK]), too_long=True)
    return Line(number, bytes(held) + part if held else part)


def _blocks(stream: BinaryIO, limits: Limits) -> Iterator[bytes]:
    head = stream.read(CHUNK)
    for magic, name in _FOREIGN.items():
        if head.startswith(magic):
            raise BrokenStreamError(f"this is a {name} file; expected JSON lines, plain or gzip")
    total = 0
    for block in _inflated(stream, head, limits) if head.startswith(_GZIP) else _plain(stream, head):
        total += len(block)
        if total > limits.total_bytes:
            raise BrokenStreamError(f"the file holds more than {limits.total_bytes:,} bytes")
        yield block


def _plain(stream: BinaryIO, head: bytes) -> Iterator[bytes]:
    while head:
        yield head
        head = stream.read(CHUNK)


def _inflated(stream: BinaryIO, packed: bytes, limits: Limits) -> Iterator[bytes]:
    inflater = zlib.decompressobj(wbits=31)
    taken, given = len(packed), 0
    while packed:
        block = _inflate(inflater, packed)
        given += len(block)
        if given > limits.expansion_floor and given > limits.expansion * taken:
            raise BrokenStreamError(f"the gzip data unpacks to more than {limits.expansion} times its size")
        yield block
        packed = inflater.unconsumed_tail
        if inflater.eof:
            packed = inflater.unused_data.lstrip(b"\0")
            inflater = zlib.decompressobj(wbits=31) if packed else inflater
        if not packed:
            packed = stream.read(CHUNK)
            taken += len(packed)
            if inflater.eof and (packed := packed.lstrip(b"\0")):
                inflater = zlib.decompressobj(wbits=31)
    if not inflater.eof:
        raise BrokenStreamError("the gzip data ends before its end: the file is truncated")


def _inflate(inflater: zlib._Decompress, packed: bytes) -> bytes:
    try:
        return inflater.decompress(packed, CHUNK)
    except zlib.error as error:
        raise BrokenStreamError(f"the gzip data is damaged: {error}") from error
