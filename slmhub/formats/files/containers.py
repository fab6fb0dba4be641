"""Plain, gzip, zstd and zip streams as bounded blocks of bytes, in constant memory; bombs are refused."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from typing import BinaryIO, NamedTuple

import zstandard

MIB = 1024 * 1024
CHUNK = 256 * 1024
_PACKED_CHUNK = 64 * 1024
# A zstd block unpacks four bytes to 128 KiB: a slice of this size to 32 MiB at most.
_ZSTD_SLICE = 1024
_ZSTD_WINDOW = 128 * MIB
_HEAD = 512
_LARGEST_DIRECTORY = 4 * MIB

_GZIP, _ZSTD, _ZIP = b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"PK\x03\x04"
_EMPTY_ZIP = b"PK\x05\x06"
_PACK = "pack it with gzip, zstd or zip, or send it plain"
_EXPORT = "export JSON lines instead, one call a line (pandas: to_json(orient='records', lines=True))"
_FOREIGN = {
    b"BZh": ("a bzip2 file", _PACK),
    b"\xfd7zXZ": ("an xz file", _PACK),
    b"7z\xbc\xaf\x27\x1c": ("a 7z archive", _PACK),
    b"Rar!": ("a rar archive", _PACK),
    b"PAR1": ("a Parquet file", _EXPORT),
    b"ARROW1": ("an Arrow file", _EXPORT),
    b"Obj\x01": ("an Avro file", _EXPORT),
    b"SQLite format 3": ("a SQLite database", _EXPORT),
    b"\xd0\xcf\x11\xe0": ("an Office document", _EXPORT),
    b"%PDF": ("a PDF document", _EXPORT),
    b"\x89PNG": ("an image", _EXPORT),
    b"\xff\xd8\xff": ("an image", _EXPORT),
    b"\x89HDF": ("an HDF5 file", _EXPORT),
}
_UNREADABLE = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    OSError,
    ValueError,
    NotImplementedError,
    RuntimeError,
)


@dataclass(frozen=True)
class Limits:
    """`expansion`: unpacked to packed bytes at most, enforced beyond `expansion_floor` unpacked bytes.

    A document longer than `document_bytes` is read list item by list item.
    """

    line_bytes: int = 16 * MIB
    document_bytes: int = 16 * MIB
    expansion: int = 250
    expansion_floor: int = 64 * MIB
    total_bytes: int = 64 * 1024 * MIB
    members: int = 10_000


class BrokenStreamError(ValueError):
    """The stream cannot be read further; what came before it is good."""

    line = 1


class Member(NamedTuple):
    """One file: its name in the archive ("" when there is none), its container, and its bytes."""

    name: str
    container: str
    blocks: Iterator[bytes]


def members_of(stream: BinaryIO, limits: Limits) -> Iterator[Member]:
    """The files of a stream that stands at its begin; each is read before the next is asked for.

    Raises BrokenStreamError, and so do the blocks of a member.
    """
    packed = iter(lambda: stream.read(_PACKED_CHUNK), b"")
    head, packed = headed(packed, _HEAD)
    meter = _Meter(limits)
    if head.startswith((_ZIP, _EMPTY_ZIP)):
        yield from _zip_members(stream, limits)
    elif head.startswith(_GZIP):
        yield Member("", "gzip", _inner(_inflated(packed, meter)))
    elif head.startswith(_ZSTD):
        yield Member("", "zstd", _inner(_zstd_unpacked(packed, meter)))
    else:
        _refuse_foreign(head)
        yield Member("", "plain", _metered(packed, meter))


def headed(blocks: Iterator[bytes], size: int) -> tuple[bytes, Iterator[bytes]]:
    """The first `size` bytes or more (fewer at the end), and all blocks again; a break waits its turn."""
    taken: list[bytes] = []
    held = 0
    try:
        while held < size and (block := next(blocks, None)) is not None:
            taken.append(block)
            held += len(block)
    except BrokenStreamError as broken:
        blocks = _broken(broken)
    head = b"".join(taken)
    return head, chain([head], blocks) if head else blocks


def _broken(broken: BrokenStreamError) -> Iterator[bytes]:
    raise broken
    yield b""


class _Meter:
    """Counts packed and unpacked bytes, and stops what grows beyond its limits."""

    def __init__(self, limits: Limits, packed: int = 0) -> None:
        self.limits = limits
        self.packed = packed
        self.unpacked = 0

    def give(self, block: bytes, kind: str) -> bytes:
        limits, self.unpacked = self.limits, self.unpacked + len(block)
        if self.unpacked > limits.total_bytes:
            raise BrokenStreamError(f"the file holds more than {limits.total_bytes:,} bytes")
        if self.unpacked > max(limits.expansion_floor, limits.expansion * self.packed):
            raise BrokenStreamError(f"the {kind} data unpacks to more than {limits.expansion} times its size")
        return block


def _metered(blocks: Iterator[bytes], meter: _Meter) -> Iterator[bytes]:
    for block in blocks:
        meter.packed += len(block)
        yield meter.give(block, "plain")


def _inflated(packed: Iterator[bytes], meter: _Meter) -> Iterator[bytes]:
    inflater = zlib.decompressobj(wbits=31)
    for chunk in packed:
        meter.packed += len(chunk)
        while chunk:
            if inflater.eof:
                # Another stream may follow the first; some writers fill the last block with zeros.
                chunk = chunk.lstrip(b"\0")
                if not chunk:
                    break
                inflater = zlib.decompressobj(wbits=31)
            yield meter.give(_inflate(inflater, chunk), "gzip")
            chunk = inflater.unused_data if inflater.eof else inflater.unconsumed_tail
    if not inflater.eof:
        raise BrokenStreamError("the gzip data ends before its end: the file is truncated")


def _inflate(inflater: zlib._Decompress, packed: bytes) -> bytes:
    try:
        return inflater.decompress(packed, CHUNK)
    except zlib.error as error:
        raise BrokenStreamError(f"the gzip data is damaged: {error}") from error


def _zstd_unpacked(packed: Iterator[bytes], meter: _Meter) -> Iterator[bytes]:
    decompressor = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW)
    unpacker = decompressor.decompressobj()
    for chunk in packed:
        meter.packed += len(chunk)
        at = 0
        while at < len(chunk):
            if unpacker.eof:
                unpacker = decompressor.decompressobj()
            piece = chunk[at : at + _ZSTD_SLICE]
            yield meter.give(_zstd_unpack(unpacker, piece), "zstd")
            at += len(piece) - (len(unpacker.unused_data) if unpacker.eof else 0)
    if not unpacker.eof:
        raise BrokenStreamError("the zstd data ends before its end: the file is truncated")


def _zstd_unpack(unpacker: zstandard.ZstdDecompressionObj, piece: bytes) -> bytes:
    try:
        return unpacker.decompress(piece)
    except (zstandard.ZstdError, MemoryError) as error:
        raise BrokenStreamError(f"the zstd data is damaged: {error}") from error


class _Guarded:
    """A file whose single reads are bounded: an archive's directory is read at once, whatever its size."""

    def __init__(self, stream: BinaryIO) -> None:
        self.seek, self.tell, self.seekable, self.stream = stream.seek, stream.tell, stream.seekable, stream

    def read(self, size: int = -1) -> bytes:
        data = self.stream.read(size if 0 <= size <= _LARGEST_DIRECTORY else _LARGEST_DIRECTORY + 1)
        if len(data) > _LARGEST_DIRECTORY:
            raise BrokenStreamError("the zip archive's directory is too large: pack fewer files together")
        return data


def _zip_members(stream: BinaryIO, limits: Limits) -> Iterator[Member]:
    if not stream.seekable():
        raise BrokenStreamError("a zip archive can only be read from a file: unpack it first, or send gzip")
    size = stream.seek(0, 2)
    try:
        archive = zipfile.ZipFile(_Guarded(stream))
    except BrokenStreamError:
        raise
    except _UNREADABLE as error:
        raise BrokenStreamError(f"the zip archive is damaged or truncated: {error}") from error
    files = [info for info in archive.infolist() if not _is_clutter(info)]
    if any(info.filename == "[Content_Types].xml" for info in files):
        raise BrokenStreamError(f"this is an Office document; {_EXPORT}")
    if len(files) > limits.members:
        raise BrokenStreamError(f"the zip archive holds more than {limits.members:,} files")
    whole = _Meter(limits, size)
    for info in files:
        blocks = _inner(_zip_blocks(archive, info, _Meter(limits, info.compress_size), whole))
        yield Member(info.filename[:200], "zip", blocks)


def _is_clutter(info: zipfile.ZipInfo) -> bool:
    name = info.filename
    return info.is_dir() or name.startswith("__MACOSX/") or name.rpartition("/")[2].startswith(".")


def _zip_blocks(
    archive: zipfile.ZipFile, info: zipfile.ZipInfo, meter: _Meter, whole: _Meter
) -> Iterator[bytes]:
    if info.flag_bits & 1:
        raise BrokenStreamError("the file is encrypted: pack it without a password")
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise BrokenStreamError("the file is packed with a method other than deflate: pack it again")
    try:
        with archive.open(info) as file:
            while block := file.read(CHUNK):
                yield whole.give(meter.give(block, "zip"), "zip")
    except BrokenStreamError:
        raise
    except _UNREADABLE as error:
        raise BrokenStreamError(f"the file is damaged in the zip archive: {error}") from error


def _inner(blocks: Iterator[bytes]) -> Iterator[bytes]:
    head, blocks = headed(blocks, _HEAD)
    if head.startswith((_GZIP, _ZSTD, _ZIP)):
        raise BrokenStreamError("an archive inside an archive is not opened: unpack the outer one")
    _refuse_foreign(head)
    yield from blocks


def _refuse_foreign(head: bytes) -> None:
    for magic, (name, advice) in _FOREIGN.items():
        if head.startswith(magic):
            raise BrokenStreamError(f"this is {name}; {advice}")
    if head[257:262] == b"ustar":
        raise BrokenStreamError("this is a tar archive; pack its files with gzip, zstd or zip")
