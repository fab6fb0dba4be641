"""Uploaded files: they arrive in pieces, lie encrypted until their import ends, and expire unstarted."""

from __future__ import annotations

import re
import shutil
import time
import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import BinaryIO

from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from apps.accounts.keys import keyring
from apps.accounts.models import Agent, User
from apps.accounts.rights import Right
from apps.core.errors import ConflictError, HubError
from apps.events.services import publish
from apps.jobs import services as jobs
from apps.uploads import sealed_file
from apps.uploads.events import UploadReceived
from apps.uploads.models import Mapping, Upload
from slmhub.formats.registry import AUTO

CHUNK = 256 * 1024
KEPT_FOR = timedelta(days=7)
# Room that an upload must leave on the disk for everything else.
SPARE_BYTES = 256 * 1024**2
_GIB = 1024**3
_SAMPLE = 1024 * 1024
_DELIVERY = re.compile(r"[A-Za-z0-9_-]{1,32}")


class EmptyUploadError(HubError):
    """The file holds nothing."""

    status = 422

    def __init__(self) -> None:
        super().__init__("The file is empty.", hint="Export the calls again and upload that file.")


class UploadTooLargeError(HubError):
    """The body is larger than an upload may be."""

    status = 413

    def __init__(self, size: int | None = None) -> None:
        given = f" This one has {size / _GIB:.1f} GiB." if size else ""
        super().__init__(
            f"An upload may have at most {settings.LARGEST_UPLOAD / _GIB:.0f} GiB.{given}",
            hint="Pack it with gzip, split it, or use manage.py import_traces.",
        )


class DiskFullError(HubError):
    """The file does not fit on the disk."""

    status = 507


class WrongOffsetError(ConflictError):
    """The piece does not begin where the last one ended."""


class BusyUploadError(HubError):
    """Another request is sending a piece of the same file."""

    status = 423


class UploadGoneError(HubError):
    """The bytes of this upload are no longer there."""

    status = 410


class UploadNotReadyError(ConflictError):
    """The upload is incomplete, was started already, or discarded."""


@dataclass(frozen=True)
class _Arrival:
    agent: Agent
    filename: str
    path: Path
    delivery: str
    actor: User | None


@dataclass(frozen=True)
class Choice:
    """How one file is to be read; `mapping` is for a shape that no format knows."""

    upload: Upload
    format: str = AUTO
    mapping: Mapping | None = None
    detected: str = ""


def begin(*, agent: Agent, filename: str, size: int, delivery: str, actor: User | None) -> Upload:
    """A place for a file to come. Raises EmptyUploadError, UploadTooLargeError, DiskFullError."""
    if not size:
        raise EmptyUploadError
    if size > settings.LARGEST_UPLOAD:
        raise UploadTooLargeError(size)
    path = _new_path()
    if shutil.disk_usage(path.parent).free < size + SPARE_BYTES:
        raise DiskFullError("The hub's disk is too full for this file.", hint="Ask whoever runs the hub.")
    sealed_file.create(path)
    arrival = _Arrival(agent, filename, path, delivery if _DELIVERY.fullmatch(delivery) else "", actor)
    return _create(arrival, size=size)


def append(*, upload: Upload, offset: int, pieces: Iterable[bytes]) -> Upload:
    """Adds bytes from `offset` on; they are on disk for good when this returns.

    Raises WrongOffsetError, UploadTooLargeError, BusyUploadError, UploadGoneError.
    """
    try:
        with sealed_file.exclusive(Path(upload.path)) as file:
            upload.refresh_from_db(fields=["received"])
            if offset != upload.received:
                raise WrongOffsetError(f"The next byte expected is {upload.received}, not {offset}.")
            received = sealed_file.append(
                file, keyring(upload.workspace_id), _at_most(pieces, upload.size - offset), at=offset
            )
            _advance(upload, received)
    except sealed_file.BusyFileError:
        raise BusyUploadError("Another request is sending this file.", hint="Try again soon.") from None
    except (FileNotFoundError, sealed_file.ShortFileError):
        raise UploadGoneError("This upload is no longer there.", hint="Start it again.") from None
    return upload


@transaction.atomic
def _advance(upload: Upload, received: int) -> None:
    was, upload.received = upload.received, received
    Upload.objects.filter(pk=upload.pk).update(received=received)
    if received == upload.size > was:
        _announce(upload)


def keep(
    *, agent: Agent, filename: str, pieces: Iterable[bytes], delivery: str = "", actor: User | None = None
) -> Upload:
    """A file that comes in one request, not started. Raises EmptyUploadError, UploadTooLargeError."""
    path = _new_path()
    sealed_file.create(path)
    try:
        with sealed_file.exclusive(path) as file:
            limited = _at_most(pieces, settings.LARGEST_UPLOAD)
            size = sealed_file.append(file, keyring(agent.workspace_id), limited, at=0)
        if not size:
            raise EmptyUploadError
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    with transaction.atomic():
        upload = _create(_Arrival(agent, filename, path, delivery, actor), size=size, received=size)
        _announce(upload)
    return upload


def _create(arrival: _Arrival, *, size: int, received: int = 0) -> Upload:
    name = Path(arrival.filename.replace("\0", "").replace("\\", "/")).name
    return Upload.objects.create(
        workspace=arrival.agent.workspace,
        agent=arrival.agent,
        uploaded_by=arrival.actor,
        filename=name[-255:] or "upload",
        path=str(arrival.path),
        size=size,
        received=received,
        token=uuid.uuid4(),
        delivery=arrival.delivery,
    )


@transaction.atomic
def start(*, choices: Sequence[Choice], actor: User | None, identity: str = "") -> list[Upload]:
    """Queues the imports of files that were sent together. Raises UploadNotReadyError, AlreadyRunningError.

    `identity` names what they hold, so that a second delivery is recognised; by default by their bytes.
    """
    named = identity or identity_of([choice.upload for choice in choices])
    return [_start(choice, named, actor) for choice in choices]


def _start(choice: Choice, identity: str, actor: User | None) -> Upload:
    upload = choice.upload
    job = jobs.start(
        workspace=upload.workspace,
        agent=upload.agent,
        title=f"Import {upload.filename}",
        entry="apps.uploads.jobs.import_upload",
        arguments={"upload_id": upload.pk, "format": choice.format, "delivery": identity},
        right=Right.INGEST,
        exclusive_key=f"upload:{upload.pk}",
        actor=actor,
        url=upload.get_absolute_url(),
    )
    ready = Upload.objects.filter(pk=upload.pk, job=None, received=F("size"))
    looks = choice.detected if choice.format == AUTO else choice.format
    if not ready.update(job=job, mapping=choice.mapping, format=looks):
        raise UploadNotReadyError(
            f"{upload.filename} cannot be started: it is incomplete or was started already."
        )
    upload.job, upload.mapping, upload.format = job, choice.mapping, looks
    return upload


def discard(*, upload: Upload) -> None:
    """Forgets a file whose import was never started. Raises UploadNotReadyError."""
    if not Upload.objects.filter(pk=upload.pk, job=None).delete()[0]:
        raise UploadNotReadyError("Its import was started already.", hint="Cancel the import instead.")
    Path(upload.path).unlink(missing_ok=True)


def opened(upload: Upload) -> BinaryIO:
    """The uploaded bytes in clear, seekable. Raises UploadGoneError."""
    try:
        return sealed_file.open_sealed(Path(upload.path), keyring(upload.workspace_id))
    except FileNotFoundError:
        raise UploadGoneError("The uploaded file is no longer there.", hint="Upload it again.") from None


def identity_of(files: Sequence[Upload]) -> str:
    """32 hex digits by the files' sizes, heads and tails, whatever they are called."""
    samples = sorted(_sample(upload) for upload in files)
    return keyring(files[0].workspace_id).digest(b"delivery\0" + b"".join(samples)).hex()[:32]


def _sample(upload: Upload) -> bytes:
    with opened(upload) as stream:
        head = stream.read(_SAMPLE)
        stream.seek(max(len(head), upload.size - _SAMPLE))
        data = head + stream.read(_SAMPLE)
    return keyring(upload.workspace_id).digest(str(upload.size).encode() + b"\0" + data)


def expires_at(upload: Upload) -> datetime:
    """When a file that nobody starts is removed: some days after its last byte came."""
    try:
        touched = datetime.fromtimestamp(Path(upload.path).stat().st_mtime, UTC)
    except FileNotFoundError:
        touched = upload.created_at
    return touched + KEPT_FOR


def new_delivery() -> str:
    return uuid.uuid4().hex


def rejects_path(upload: Upload) -> Path:
    return _folder("rejects") / f"upload-{upload.pk}.jsonl"


def sweep() -> int:
    """Removes old files that no import needs, their unstarted uploads, and rejects of deleted uploads."""
    return _sweep_files() + _sweep_rows() + _sweep_rejects()


def _sweep_files() -> int:
    before = time.time() - KEPT_FOR.total_seconds()
    old = [path for path in _folder("uploads").iterdir() if path.is_file() and path.stat().st_mtime < before]
    swept = 0
    for path in old:
        upload = Upload.objects.select_related("job").filter(path=str(path)).first()
        if upload is not None and upload.job is not None and not upload.job.is_over:
            continue
        Upload.objects.filter(path=str(path), job=None).delete()
        path.unlink(missing_ok=True)
        swept += 1
    return swept


def _sweep_rows() -> int:
    """Unstarted uploads whose file somebody removed."""
    old = Upload.objects.filter(job=None, created_at__lt=timezone.now() - KEPT_FOR)
    lost = [upload.pk for upload in old if not Path(upload.path).is_file()]
    Upload.objects.filter(pk__in=lost).delete()
    return len(lost)


def _sweep_rejects() -> int:
    files = {path.stem.removeprefix("upload-"): path for path in _folder("rejects").glob("upload-*.jsonl")}
    known = {str(pk) for pk in Upload.objects.values_list("pk", flat=True).iterator()} if files else set()
    gone = [path for name, path in files.items() if name.isdigit() and name not in known]
    for path in gone:
        path.unlink(missing_ok=True)
    return len(gone)


def _announce(upload: Upload) -> None:
    fact = UploadReceived(upload=upload.pk, filename=upload.filename, size=upload.size)
    publish(fact, workspace=upload.workspace, agent=upload.agent, actor=upload.uploaded_by)


def _at_most(pieces: Iterable[bytes], most: int) -> Iterator[bytes]:
    taken = 0
    for piece in pieces:
        taken += len(piece)
        if taken > most:
            raise UploadTooLargeError if most >= settings.LARGEST_UPLOAD else LongerThanAnnouncedError
        yield piece


class LongerThanAnnouncedError(HubError):
    """More bytes came than the upload was announced with."""

    status = 413

    def __init__(self) -> None:
        super().__init__("More bytes came than were announced.", hint="Start the upload again.")


def _new_path() -> Path:
    return _folder("uploads") / f"{uuid.uuid4().hex}.upload"


def _folder(name: str) -> Path:
    folder = Path(settings.HUB_HOME) / name
    folder.mkdir(parents=True, exist_ok=True)
    return folder
