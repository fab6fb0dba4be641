"""Background entries of traces."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson

from apps.core.errors import HubError
from apps.jobs.runner import JobContext
from apps.traces.ingest import IngestSummary, ingest
from apps.traces.models import Source, Upload
from apps.traces.uploads import rejects_path
from slmhub import formats


class UploadGoneError(HubError):
    """The uploaded file was imported already, or somebody removed it."""


class NothingReadableError(HubError):
    """No line of the file is a call."""


def import_upload(context: JobContext, *, upload_id: int) -> dict[str, Any]:
    """Imports one uploaded file; a second attempt starts over and counts what is stored as duplicate."""
    upload = Upload.objects.select_related("agent__workspace").get(pk=upload_id)
    path = Path(upload.path)
    if not path.is_file():
        raise UploadGoneError("The uploaded file is no longer there.", hint="Upload it again.")
    rejects = rejects_path(upload)
    with path.open("rb") as stream, rejects.open("w") as refused:

        def tell(summary: IngestSummary) -> None:
            _count(upload, summary)
            note = f"{summary.accepted:,} new calls"
            context.progress(min(stream.tell(), upload.size), upload.size, note, **summary.as_dict())

        summary = ingest(
            agent=upload.agent,
            records=formats.read(stream),
            source=Source.UPLOAD,
            on_progress=tell,
            rejects=refused,
        )
    _finish(upload, summary, rejects)
    path.unlink(missing_ok=True)
    _refuse_unreadable(summary, rejects)
    return summary.as_dict()


def _count(upload: Upload, summary: IngestSummary) -> None:
    Upload.objects.filter(pk=upload.pk).update(**summary.as_dict())


def _finish(upload: Upload, summary: IngestSummary, rejects: Path) -> None:
    _count(upload, summary)
    if summary.rejected:
        Upload.objects.filter(pk=upload.pk).update(rejects_path=str(rejects))
    else:
        rejects.unlink()


def _refuse_unreadable(summary: IngestSummary, rejects: Path) -> None:
    if summary.accepted or summary.duplicate:
        return
    if not summary.read:
        raise NothingReadableError("The file holds no lines.")
    with rejects.open("rb") as file:
        first = orjson.loads(file.readline())
    raise NothingReadableError(
        f"No line could be read. Line {first['line']}: {first['reason']}.",
        hint="The rejects file names the others.",
    )
