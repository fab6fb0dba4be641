"""Looking at files that were chosen together before their import: preview, mapping, start, discard."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from apps.accounts.access import MemberRequest, requires
from apps.accounts.rights import Right
from apps.core.errors import HubError
from apps.jobs.services import AlreadyRunningError
from apps.uploads import mappings
from apps.uploads import services as uploads
from apps.uploads.forms import ReadingForm
from apps.uploads.models import Arrival, Upload
from apps.uploads.preview import FilePreview, ReadingChoice, preview

# Files that are looked into for one page; the others are only listed.
_LOOKED_INTO = 6


@requires(Right.INGEST)
@require_http_methods(["GET", "HEAD", "POST"])
def review(request: MemberRequest, delivery: str) -> HttpResponse:
    """The files of a delivery before their import; a POST shows them read in another way."""
    chosen = _delivery(request, delivery)
    if not any(upload.job is None for upload in chosen):
        return _to_imports(request, chosen)
    return render(request, "uploads/review.html", _context(request, delivery, chosen))


def _context(request: MemberRequest, delivery: str, chosen: Sequence[Upload]) -> dict[str, Any]:
    waiting = [upload for upload in chosen if upload.job is None and upload.arrival is Arrival.WAITING]
    shown = preview([_reading(request, upload) for upload in waiting[:_LOOKED_INTO]])
    return {
        "delivery": delivery,
        "shown": shown,
        "files": [(file, _form(file)) for file in shown.files],
        "others": waiting[_LOOKED_INTO:],
        "missing": [upload for upload in chosen if upload.job is None and upload not in waiting],
        "started": [upload for upload in chosen if upload.job is not None],
    }


@requires(Right.INGEST)
@require_POST
def start(request: MemberRequest, delivery: str) -> HttpResponse:
    chosen = _delivery(request, delivery)
    waiting = [upload for upload in chosen if upload.job is None and upload.arrival is Arrival.WAITING]
    if not waiting:
        return _to_imports(request, chosen)
    try:
        started = uploads.start(choices=[_choice(request, upload) for upload in waiting], actor=request.user)
    except AlreadyRunningError:
        return _to_imports(request, _delivery(request, delivery))
    except HubError as error:
        messages.error(request, error.sentence)
        return redirect(request.agent.address("uploads:review", delivery))
    return _to_imports(request, started)


def _reading(request: MemberRequest, upload: Upload) -> ReadingChoice:
    asked = ReadingForm(request.POST, prefix=_prefix(upload)) if request.method == "POST" else ReadingForm()
    return ReadingChoice(upload, asked.wanted, asked.given)


def _choice(request: MemberRequest, upload: Upload) -> uploads.Choice:
    reading = _reading(request, upload)
    return mappings.choice(upload, wanted=reading.format, given=reading.fields, actor=request.user)


def _form(file: FilePreview) -> ReadingForm:
    """Filled with what the preview shows, whoever chose it."""
    initial: dict[str, Any] = {"format": mappings.BY_HAND if file.mapping else file.wanted}
    if file.mapping:
        initial |= {name: getattr(file.mapping.rules, name) for name in mappings.FIELDS}
    return ReadingForm(prefix=_prefix(file.upload), initial=initial)


def _prefix(upload: Upload) -> str:
    return f"file{upload.pk}"


def _delivery(request: MemberRequest, delivery: str) -> list[Upload]:
    own = request.agent.uploads.filter(delivery=delivery).order_by("pk")
    found = list(own.select_related("job", "workspace", "uploaded_by"))
    if not found:
        raise Http404("There are no such files: they were discarded, or nobody started them for a week.")
    return found


def _to_imports(request: MemberRequest, started: Sequence[Upload]) -> HttpResponse:
    if len(started) == 1:
        return redirect(started[0])
    messages.success(request, f"{len(started)} files are being imported.")
    return redirect(request.agent.address("uploads:upload"))
