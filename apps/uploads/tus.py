"""The tus 1.0.0 protocol for resumable uploads, with four extensions.

Own, because the kept server for Django (drf-tus 2.0.3) holds each piece in memory, neither locks nor syncs
the file, and stores it in clear. https://tus.io/protocols/resumable-upload
"""

from __future__ import annotations

import base64
import binascii
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db.models import QuerySet
from django.http import Http404, HttpResponse, JsonResponse
from django.utils.http import http_date

from apps.accounts.models import Agent, User
from apps.core.errors import HubError, error_body
from apps.uploads import mappings
from apps.uploads import services as uploads
from apps.uploads.models import Upload

VERSION = "1.0.0"
EXTENSIONS = "creation,creation-with-upload,termination,expiration"
PIECE_TYPE = "application/offset+octet-stream"


class BadTusRequestError(HubError):
    """A header is missing or wrong."""


class WrongVersionError(HubError):
    """The client speaks another version of the protocol."""

    status = 412


class WrongTypeError(HubError):
    """A piece must say that it is one."""

    status = 415


@dataclass(frozen=True)
class TusRequest:
    """One request, from a page or from a program."""

    method: str
    headers: Mapping[str, str]
    stream: Any
    address: Callable[[Upload], str]
    # Programs cannot look at a preview: their imports start when the last byte has come.
    starts_at_once: bool = False


def at_collection(request: TusRequest, agent: Callable[[], Agent], actor: User | None) -> HttpResponse:
    """OPTIONS and POST."""
    return _spoken(request, lambda: _create(request, agent(), actor))


def at_upload(request: TusRequest, mine: QuerySet[Upload], token: str) -> HttpResponse:
    """OPTIONS, HEAD, PATCH and DELETE of one upload among `mine`."""
    return _spoken(request, lambda: _ACTIONS[request.method](request, _upload(mine, token)))


def _spoken(request: TusRequest, act: Callable[[], HttpResponse]) -> HttpResponse:
    try:
        response = _options() if request.method == "OPTIONS" else _versioned(request, act)
    except HubError as error:
        body = error_body(type(error).__name__, error.message, error.hint)
        response = JsonResponse(body, status=error.status)
        if isinstance(error, WrongVersionError):
            response["Tus-Version"] = VERSION
    except Http404 as error:
        response = JsonResponse(error_body("NotFound", str(error)), status=404)
    response["Tus-Resumable"] = VERSION
    response["Cache-Control"] = "no-store"
    return response


def _versioned(request: TusRequest, act: Callable[[], HttpResponse]) -> HttpResponse:
    given = request.headers.get("Tus-Resumable")
    if given != VERSION:
        raise WrongVersionError(f"This address speaks tus {VERSION}, not {given or 'an unnamed version'}.")
    return act()


def _options() -> HttpResponse:
    return HttpResponse(
        status=204,
        headers={
            "Tus-Version": VERSION,
            "Tus-Extension": EXTENSIONS,
            "Tus-Max-Size": str(settings.LARGEST_UPLOAD),
        },
    )


def _create(request: TusRequest, agent: Agent, actor: User | None) -> HttpResponse:
    metadata = _metadata(request.headers.get("Upload-Metadata", ""))
    upload = uploads.begin(
        agent=agent,
        filename=metadata.get("filename", ""),
        size=_whole(request, "Upload-Length"),
        delivery=metadata.get("delivery", ""),
        actor=actor,
    )
    if request.headers.get("Content-Type") == PIECE_TYPE:
        _take(request, upload, 0)
    headers = {"Location": request.address(upload), "Upload-Offset": str(upload.received)}
    return HttpResponse(status=201, headers={**headers, **_about(upload)})


def _head(request: TusRequest, upload: Upload) -> HttpResponse:
    headers = {"Upload-Offset": str(upload.received), "Upload-Length": str(upload.size)}
    return HttpResponse(status=200, headers={**headers, **_about(upload)})


def _patch(request: TusRequest, upload: Upload) -> HttpResponse:
    if request.headers.get("Content-Type") != PIECE_TYPE:
        raise WrongTypeError(f"A piece has the content type {PIECE_TYPE}.")
    _take(request, upload, _whole(request, "Upload-Offset"))
    headers = {"Upload-Offset": str(upload.received)}
    return HttpResponse(status=204, headers={**headers, **_about(upload)})


def _delete(request: TusRequest, upload: Upload) -> HttpResponse:
    uploads.discard(upload=upload)
    return HttpResponse(status=204)


_ACTIONS: dict[str, Callable[[TusRequest, Upload], HttpResponse]] = {
    "HEAD": _head,
    "PATCH": _patch,
    "DELETE": _delete,
}


def _take(request: TusRequest, upload: Upload, offset: int) -> None:
    uploads.append(upload=upload, offset=offset, pieces=_pieces(request.stream))
    is_last = upload.received == upload.size > offset
    if is_last and request.starts_at_once:
        uploads.start(choices=[mappings.choice(upload)], actor=None, identity=upload.delivery)


def _pieces(stream: Any) -> Iterator[bytes]:
    return iter(lambda: stream.read(uploads.CHUNK), b"")


def _upload(mine: QuerySet[Upload], token: str) -> Upload:
    try:
        found = mine.select_related("workspace", "agent", "uploaded_by").get(token=uuid.UUID(token))
    except (ValueError, Upload.DoesNotExist):
        raise Http404("There is no such upload, or its import is done.") from None
    return found


def _whole(request: TusRequest, header: str) -> int:
    value = request.headers.get(header, "")
    if not value.isdecimal() or len(value) > 18:
        raise BadTusRequestError(f"The header {header} must be a whole number of bytes.")
    return int(value)


def _metadata(header: str) -> dict[str, str]:
    """`filename d29ybGQ=,delivery …`: keys with their values in base64."""
    pairs = (pair.split() for pair in header.split(",") if pair.strip())
    return {key: _decoded(key, "".join(value)) for key, *value in pairs}


def _decoded(key: str, value: str) -> str:
    try:
        return base64.b64decode(value, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        raise BadTusRequestError(f"The metadata {key[:40]!r} is not UTF-8 text in base64.") from None


def _about(upload: Upload) -> dict[str, str]:
    """Our own number for it, with which the state of its import is asked, and when it expires unstarted."""
    number = {"Hub-Upload": str(upload.pk)}
    if upload.job_id is not None:
        return number
    return {**number, "Upload-Expires": http_date(uploads.expires_at(upload).timestamp())}
