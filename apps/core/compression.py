"""Content encodings of received bodies, undone in bounded memory."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator

import zstandard

BLOCK = 1024**2
# Four bytes of zstd can stand for 128 KiB; fed so little at a time, no output is larger than 16 MiB.
ZSTD_INPUT = 512
LARGEST_WINDOW = 2**27
ENCODINGS = ("", "identity", "gzip", "deflate", "zstd")

Grow = Callable[[int], None]


class UnknownEncodingError(ValueError):
    """A content encoding that nobody here undoes."""


class BrokenEncodingError(ValueError):
    """The body is not what its content encoding says, or ends in the middle."""


class TooMuchError(ValueError):
    """Undone, the body is larger than it may be."""


def undone(body: bytes, encoding: str, *, most: int, grow: Grow = lambda size: None) -> bytes:
    """The body without its encoding, at most `most` bytes; `grow` hears of every block before the next.

    Raises UnknownEncodingError, BrokenEncodingError, TooMuchError, and what `grow` raises.
    """
    if encoding in ("", "identity"):
        return body
    if encoding not in ENCODINGS:
        raise UnknownEncodingError(encoding)
    blocks, size = [], 0
    try:
        for block in _zstd(body) if encoding == "zstd" else _zlib(body, encoding):
            size += len(block)
            if size > most:
                raise TooMuchError
            grow(len(block))
            blocks.append(block)
    except (zlib.error, zstandard.ZstdError) as error:
        raise BrokenEncodingError(str(error)) from error
    return b"".join(blocks)


def _zlib(body: bytes, encoding: str) -> Iterator[bytes]:
    """gzip (also several members in a row), or deflate with or without its zlib header."""
    rest = body
    while rest:
        unpack = zlib.decompressobj(_window(rest, encoding))
        while not unpack.eof:
            block = unpack.decompress(rest, BLOCK)
            rest = unpack.unconsumed_tail
            if block:
                yield block
            elif not rest and not unpack.eof:
                raise BrokenEncodingError("the body ends in the middle")
        # Some senders fill up with zeros.
        rest = unpack.unused_data.lstrip(b"\0") if encoding == "gzip" else b""


def _window(body: bytes, encoding: str) -> int:
    if encoding == "gzip":
        return 31
    has_header = len(body) > 1 and body[0] & 0x0F == 8 and (body[0] << 8 | body[1]) % 31 == 0
    return 15 if has_header else -15


def _zstd(body: bytes) -> Iterator[bytes]:
    """Several frames in a row are one body; the last must come to its end."""
    view, place = memoryview(body), 0
    while place < len(view):
        unpack = zstandard.ZstdDecompressor(max_window_size=LARGEST_WINDOW).decompressobj()
        while not unpack.eof:
            if place >= len(view):
                raise BrokenEncodingError("the body ends in the middle")
            slice = view[place : place + ZSTD_INPUT]
            if block := unpack.decompress(slice):
                yield block
            place += len(slice)
        place -= len(unpack.unused_data)
