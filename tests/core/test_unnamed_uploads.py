"""What a form sends lies on the disk without a name."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import RequestFactory

LARGE = b"A secret of Ann's.\n" * 300_000


@pytest.fixture
def folder(tmp_path: Path, settings: Any) -> Path:
    settings.FILE_UPLOAD_TEMP_DIR = str(tmp_path)
    return tmp_path


class Watched(io.BytesIO):
    """A body that looks at the folder whenever somebody reads on."""

    def __init__(self, body: bytes, folder: Path) -> None:
        super().__init__(body)
        self.folder = folder
        self.seen: set[str] = set()

    def read(self, size: int | None = -1, /) -> bytes:
        self.seen |= {path.name for path in self.folder.iterdir()}
        return super().read(size)


def test_a_file_has_no_name_on_the_disk_while_it_is_received_and_read(folder: Path) -> None:
    request: Any = RequestFactory().post("/", {"file": SimpleUploadedFile("log.jsonl", LARGE), "note": "x"})
    body = request._stream = Watched(request._stream.read(), folder)

    file = request.FILES["file"]
    assert (file.name, file.size, request.POST["note"]) == ("log.jsonl", len(LARGE), "x")
    assert b"".join(file.chunks()) == LARGE
    assert body.seen == set()
    assert list(folder.iterdir()) == []
    request.close()
    assert file.closed


def test_a_file_without_content_is_a_file(folder: Path) -> None:
    request = RequestFactory().post("/", {"file": SimpleUploadedFile("empty.jsonl", b"")})
    file: Any = request.FILES["file"]
    assert (file.size, file.read()) == (0, b"")
