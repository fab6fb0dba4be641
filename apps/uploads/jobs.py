"""The background import of an uploaded file."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from apps.core.errors import HubError
from apps.ingest.services import IngestSummary, ingest
from apps.jobs.runner import JobContext
from apps.traces.models import Source
from apps.uploads import services as uploads
from apps.uploads.models import Upload
from slmhub import formats
from slmhub.formats.registry import AUTO

# How many seconds back the shown pace looks.
_PACE_S = 8.0


class NothingReadableError(HubError):
    """No line of the file is a call."""


@dataclass
class Pace:
    """Smoothed speeds of an import: lines and bytes a second."""

    lines: float = 0.0
    bytes: float = 0.0
    _last: tuple[float, int, int] = field(default_factory=lambda: (time.monotonic(), 0, 0))

    def tick(self, lines: int, at: int) -> None:
        now = time.monotonic()
        then, lines_then, at_then = self._last
        passed = max(now - then, 1e-3)
        # The first figures count in full, later ones by how long they took.
        weight = 1.0 if not self.lines else min(1.0, passed / _PACE_S)
        self.lines += weight * ((lines - lines_then) / passed - self.lines)
        self.bytes += weight * ((at - at_then) / passed - self.bytes)
        self._last = now, lines, at

    def seconds_left(self, at: int, size: int) -> float | None:
        return (size - at) / self.bytes if self.bytes > 0 else None


def import_upload(
    context: JobContext, *, upload_id: int, format: str = AUTO, delivery: str = ""
) -> dict[str, Any]:
    """Imports one uploaded file; a second attempt starts over and counts what is stored as duplicate."""
    upload = Upload.objects.select_related("agent__workspace", "mapping").get(pk=upload_id)
    rejects = uploads.rejects_path(upload)
    rules = upload.mapping.rules if upload.mapping else None
    with uploads.opened(upload) as stream, rejects.open("w", buffering=1) as refused:
        summary = ingest(
            agent=upload.agent,
            records=formats.read(stream, format, mapping=rules, delivery=delivery),
            source=Source.UPLOAD,
            on_progress=_teller(context, upload, stream, rejects),
            rejects=refused,
            commit=context.commit,
        )
    with context.commit():
        _count(upload, summary, rejects)
        Upload.objects.filter(pk=upload.pk).update(token=None)
    if not summary.rejected:
        rejects.unlink()
    Path(upload.path).unlink(missing_ok=True)
    _refuse_unreadable(summary, rejects)
    return {**summary.as_dict(), "seconds_left": None}


def _teller(context: JobContext, upload: Upload, stream: BinaryIO, rejects: Path) -> Any:
    pace, furthest = Pace(), 0

    def tell(summary: IngestSummary) -> None:
        nonlocal furthest
        # A zip file is read from its end and back.
        furthest = max(furthest, min(stream.tell(), upload.size))
        pace.tick(summary.read, furthest)
        with context.commit():
            _count(upload, summary, rejects)
        context.progress(
            furthest,
            upload.size,
            f"{summary.read:,} lines, {pace.lines:,.0f} a second",
            lines_per_second=round(pace.lines, 1),
            seconds_left=pace.seconds_left(furthest, upload.size),
            **summary.as_dict(),
        )

    return tell


def _count(upload: Upload, summary: IngestSummary, rejects: Path) -> None:
    refused = str(rejects) if summary.rejected else ""
    Upload.objects.filter(pk=upload.pk).update(**summary.as_dict(), rejects_path=refused)


def _refuse_unreadable(summary: IngestSummary, rejects: Path) -> None:
    if summary.accepted or summary.completed or summary.duplicate:
        return
    if not summary.read:
        raise NothingReadableError("The file holds no lines.")
    with rejects.open("rb") as file:
        first = orjson.loads(file.readline())
    raise NothingReadableError(
        f"No line could be read. Line {first['line']}: {first['reason']}.",
        hint="The rejects file names the others." if summary.rejected > 1 else "",
    )
