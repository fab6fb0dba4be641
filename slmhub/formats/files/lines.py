"""Bounded lines of a byte stream that nobody vouches for, in constant memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from slmhub.formats.files.containers import CHUNK, MIB, BrokenStreamError, Limits, members_of

__all__ = ["CHUNK", "MIB", "BrokenStreamError", "Limits", "Line", "lines_in", "lines_of"]


@dataclass(frozen=True)
class Line:
    number: int
    data: bytes
    too_long: bool = False


def lines_of(stream: BinaryIO, limits: Limits) -> Iterator[Line]:
    """Lines of all files of a plain or packed stream. Raises BrokenStreamError."""
    for member in members_of(stream, limits):
        yield from lines_in(member.blocks, limits)


def lines_in(blocks: Iterator[bytes], limits: Limits) -> Iterator[Line]:
    """Numbered lines without their end. Raises BrokenStreamError, its `line` set to where reading stopped."""
    number, held, skipping = 1, bytearray(), False
    try:
        for block in blocks:
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
