from __future__ import annotations

import gzip
import io
import random
import tracemalloc
import zipfile
import zlib
from typing import Any

import pytest
import zstandard

from slmhub.formats import Limits, Record, Reject, read
from tests.formats.worlds import chat_row, lines_of

GOOD = lines_of(chat_row())
SMALL = Limits(expansion_floor=1 << 20)


def zipped(files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return packed.getvalue()


def items(data: bytes, **options: Any) -> list[Record | Reject]:
    return list(read(io.BytesIO(data), **options))


def reasons(data: bytes, **options: Any) -> list[str]:
    return [item.reason for item in items(data, **options) if isinstance(item, Reject)]


def many(number: int) -> bytes:
    noise = random.Random(7)
    return lines_of(*[chat_row(id=f"c{n}", noise=noise.randbytes(300).hex()) for n in range(number)])


@pytest.mark.parametrize("pack", [bytes, gzip.compress, zstandard.compress, lambda data: zipped({"a": data})])
def test_it_reads_the_same_records_from_every_container(pack: Any) -> None:
    assert items(pack(many(20))) == items(many(20))


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.compress])
def test_it_reads_several_members_one_after_another(pack: Any) -> None:
    assert len(items(pack(GOOD) + pack(GOOD) + pack(b"") + pack(GOOD))) == 3


def test_it_reads_the_files_of_a_zip_in_turn_and_passes_over_clutter() -> None:
    data = zipped(
        {"a.jsonl": GOOD, "__MACOSX/._a.jsonl": b"x", ".DS_Store": b"y", "dir/b.jsonl": GOOD + GOOD}
    )
    assert [type(item) for item in items(data)] == [Record] * 3


def test_it_names_the_file_of_the_zip_that_holds_a_bad_line() -> None:
    found = items(zipped({"a.jsonl": GOOD, "b.jsonl": GOOD + b'{"x": \n' + GOOD, "c.jsonl": GOOD}))
    assert [type(item) for item in found] == [Record, Record, Reject, Record, Record]
    assert found[2].line == 2
    assert found[2].reason.startswith("b.jsonl: the line is not JSON")


@pytest.mark.parametrize(
    ("pack", "kind"), [(gzip.compress, "gzip"), (zstandard.compress, "zstd")], ids=["gzip", "zstd"]
)
def test_it_keeps_what_stands_before_the_break_of_a_truncated_file(pack: Any, kind: str) -> None:
    # More than one zstd block, for a block is unpacked whole.
    data = pack(many(2000))
    found = items(data[: len(data) // 2])
    assert 100 < len(found) < 2000
    assert all(isinstance(item, Record) for item in found[:-2])
    assert found[-1].reason == f"the {kind} data ends before its end: the file is truncated"


def test_it_says_that_a_zip_is_truncated() -> None:
    (reason,) = reasons(zipped({"a": many(50)})[:-100])
    assert reason.startswith("the zip archive is damaged or truncated")


def test_it_reads_on_after_a_damaged_file_in_a_zip() -> None:
    noise = random.Random(3).randbytes(5000)
    data = bytearray(zipped({"a": GOOD, "b": noise, "c": GOOD}, zipfile.ZIP_STORED))
    data[data.index(noise) + 100] ^= 0xFF
    found = items(bytes(data))
    assert isinstance(found[0], Record)
    assert isinstance(found[-1], Record)
    assert any(item.reason.startswith("b: ") for item in found if isinstance(item, Reject))


def test_it_says_that_a_zip_is_encrypted() -> None:
    data = bytearray(zipped({"a.jsonl": GOOD}))
    # The bit that marks encryption, in the local header and in the directory.
    data[6] |= 1
    data[data.rindex(b"PK\x01\x02") + 8] |= 1
    assert reasons(bytes(data)) == ["a.jsonl: the file is encrypted: pack it without a password"]


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_it_refuses_methods_whose_expansion_cannot_be_bounded(method: int) -> None:
    assert reasons(zipped({"a": GOOD}, method)) == [
        "a: the file is packed with a method other than deflate: pack it again"
    ]


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.compress, lambda data: zipped({"x": data})])
@pytest.mark.parametrize("inner", [gzip.compress, zstandard.compress, lambda data: zipped({"y": data})])
def test_it_refuses_an_archive_inside_an_archive(pack: Any, inner: Any) -> None:
    (reason,) = reasons(pack(inner(GOOD)))
    assert reason.endswith("an archive inside an archive is not opened: unpack the outer one")


def gzip_bomb() -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    return b"".join(packer.compress(bytes(1 << 20)) for _ in range(200)) + packer.flush()


def zstd_bomb() -> bytes:
    packer = zstandard.ZstdCompressor().compressobj()
    return b"".join(packer.compress(bytes(1 << 20)) for _ in range(200)) + packer.flush()


@pytest.mark.parametrize(
    ("bomb", "kind"),
    [(gzip_bomb(), "gzip"), (zstd_bomb(), "zstd"), (zipped({"a": bytes(200 << 20)}), "zip")],
    ids=["gzip", "zstd", "zip"],
)
def test_it_stops_at_a_bomb_without_unpacking_it(bomb: bytes, kind: str) -> None:
    tracemalloc.start()
    (*_, reason) = reasons(bomb)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert reason.endswith(f"the {kind} data unpacks to more than 250 times its size")
    assert peak < 100 << 20


def test_it_counts_all_files_of_a_zip_against_its_size() -> None:
    # Each file alone stays under the floor that small files are allowed.
    data = zipped({f"f{number}": bytes(900_000) for number in range(30)})
    assert any("unpacks to more than 250 times" in reason for reason in reasons(data, limits=SMALL))


def test_it_refuses_a_zip_of_too_many_files() -> None:
    data = zipped({f"f{number}": b"" for number in range(12)})
    assert reasons(data, limits=Limits(members=10)) == ["the zip archive holds more than 10 files"]


def test_it_refuses_a_zip_that_cannot_be_read_from_its_end() -> None:
    class Pipe(io.BytesIO):
        def seekable(self) -> bool:
            return False

    (found,) = read(Pipe(zipped({"a": GOOD})))
    assert isinstance(found, Reject)
    assert found.reason.startswith("a zip archive can only be read from a file")


@pytest.mark.parametrize(
    ("head", "reason"),
    [
        (b"PAR1\x15\x04", "this is a Parquet file; export JSON lines"),
        (b"SQLite format 3\0", "this is a SQLite database; export"),
        (b"BZh91AY", "this is a bzip2 file; pack it with gzip"),
        (b"%PDF-1.7", "this is a PDF"),
        (b"\0" * 257 + b"ustar", "this is a tar archive"),
    ],
)
def test_it_says_what_to_send_instead_of_a_foreign_file(head: bytes, reason: str) -> None:
    assert reasons(head + bytes(100))[0].startswith(reason)
    assert reason in reasons(gzip.compress(head + bytes(100)))[0]


def test_it_knows_an_office_document_from_a_zip() -> None:
    assert reasons(zipped({"[Content_Types].xml": b"<x/>", "xl/a.xml": b""}))[0].startswith(
        "this is an Office"
    )
