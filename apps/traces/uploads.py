"""Uploaded files: kept on disk until their lines are in, then removed."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from django.conf import settings
from django.core.files.uploadedfile import TemporaryUploadedFile, UploadedFile
from django.db import transaction

from apps.accounts.models import Agent, User
from apps.core.errors import HubError
from apps.events.models import EventType
from apps.events.services import publish
from apps.jobs.services import enqueue
from apps.traces.models import Upload
from slmhub import formats
from slmhub.formats.lines import BrokenStreamError, Limits, lines_of

CHUNK = 1024 * 1024
_LINES_LOOKED_AT = 20
_GIB = 1024**3


class EmptyUploadError(HubError):
    """The file holds nothing."""

    status = 422


class UploadTooLargeError(HubError):
    """The body is larger than an upload may be."""

    status = 413

    def __init__(self, size: int | None = None) -> None:
        given = f" This one has {size / _GIB:.1f} GiB." if size else ""
        super().__init__(
            f"An upload may have at most {settings.LARGEST_UPLOAD / _GIB:.0f} GiB.{given}",
            hint="Pack it with gzip, split it, or use manage.py import_traces.",
        )


@transaction.atomic
def receive(*, agent: Agent, path: Path, filename: str, actor: User | None) -> Upload:
    """Takes over a file that lies in the uploads folder and queues its import."""
    upload = Upload.objects.create(
        workspace=agent.workspace,
        agent=agent,
        uploaded_by=actor,
        filename=Path(filename).name[-255:] or "upload",
        path=str(path),
        size=path.stat().st_size,
        format=detected(path),
    )
    data = {"upload": upload.pk, "filename": upload.filename, "size": upload.size}
    publish(workspace=agent.workspace, type=EventType.UPLOAD_RECEIVED, actor=actor, agent=agent, data=data)
    upload.job = enqueue(
        workspace=agent.workspace,
        agent=agent,
        title=f"Import {upload.filename}"[:200],
        entry="apps.traces.jobs.import_upload",
        arguments={"upload_id": upload.pk},
        actor=actor,
        url=f"/w/{agent.workspace.slug}/{agent.slug}/traces/uploads/{upload.pk}/",
    )
    upload.save(update_fields=["job"])
    return upload


def keep(uploaded: UploadedFile[bytes]) -> Path:
    """The uploaded file at its own place. Raises EmptyUploadError."""
    if isinstance(uploaded, TemporaryUploadedFile) and uploaded.size:
        path = _new_path()
        Path(uploaded.temporary_file_path()).replace(path)
        return path
    return write(uploaded.chunks(CHUNK))


def write_stream(stream: BinaryIO) -> Path:
    """A raw request body as a file. Raises EmptyUploadError, UploadTooLargeError."""
    return write(iter(lambda: stream.read(CHUNK), b""))


def write(chunks: Iterable[bytes]) -> Path:
    path, size = _new_path(), 0
    try:
        with path.open("xb") as file:
            for chunk in chunks:
                size += len(chunk)
                if size > settings.LARGEST_UPLOAD:
                    raise UploadTooLargeError
                file.write(chunk)
        if not size:
            raise EmptyUploadError("The file is empty.", hint="Export the calls again and upload that file.")
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return path


def detected(path: Path) -> str:
    """The format that the first lines have, "" when none is known."""
    with path.open("rb") as stream, suppress(BrokenStreamError):
        lines = (
            line.data for line in islice(lines_of(stream, Limits()), _LINES_LOOKED_AT) if not line.too_long
        )
        return formats.detect(lines) or ""
    return ""


def rejects_path(upload: Upload) -> Path:
    folder = Path(settings.HUB_HOME) / "rejects"
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"upload-{upload.pk}.jsonl"


def _new_path() -> Path:
    folder = Path(settings.HUB_HOME) / "uploads"
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"{uuid.uuid4().hex}.upload"
