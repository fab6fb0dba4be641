from __future__ import annotations

from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import FileResponse, Http404, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from apps.accounts.access import MemberRequest, requires
from apps.accounts.rights import Right
from apps.core.errors import HubError
from apps.core.live import render_page
from apps.jobs.selectors import steering
from apps.uploads import rejects as kept_rejects
from apps.uploads import services as uploads
from apps.uploads import tus as protocol
from apps.uploads.forms import UploadForm
from apps.uploads.models import Upload

_LISTED = 20
# Room for the form's other fields and the parts' headers.
_FORM_OVERHEAD = 1024 * 1024


@requires(Right.INGEST)
@csrf_exempt
@require_http_methods(["GET", "HEAD", "POST"])
def upload(request: MemberRequest) -> HttpResponseBase:
    """The body is measured before anything reads it; only then is its CSRF token looked for inside."""
    if request.method != "POST":
        return _page(request, UploadForm())
    length = int(request.META.get("CONTENT_LENGTH") or 0)
    if length > settings.LARGEST_UPLOAD + _FORM_OVERHEAD:
        error = uploads.UploadTooLargeError(length)
        return _page(request, UploadForm(), error=error.sentence, status=error.status)
    return _receive(request)


@csrf_protect
def _receive(request: MemberRequest) -> HttpResponse:
    form = UploadForm(request.POST, request.FILES)
    if not form.is_valid():
        return _page(request, form, status=422)
    received, refused, delivery = 0, [], uploads.new_delivery()
    for file in form.cleaned_data["uploaded"]:
        pieces = file.chunks(uploads.CHUNK)
        try:
            uploads.keep(
                agent=request.agent, filename=file.name, pieces=pieces, delivery=delivery, actor=request.user
            )
            received += 1
        except HubError as error:
            refused.append(f"{file.name}: {error.sentence}")
    if not received:
        return _page(request, form, error=" ".join(refused), status=422)
    for text in refused:
        messages.warning(request, text)
    return redirect(request.agent.address("uploads:review", delivery))


def _page(request: MemberRequest, form: UploadForm, *, error: str = "", status: int = 200) -> HttpResponse:
    own = request.agent.uploads.select_related("job", "uploaded_by").order_by("-pk")

    def around() -> dict[str, Any]:
        address = request.build_absolute_uri(reverse("uploads"))
        return {
            "form": form,
            "error": error,
            "unfinished": own.filter(job=None)[:_LISTED],
            "limit": settings.LARGEST_UPLOAD,
            "limit_gib": settings.LARGEST_UPLOAD // 1024**3,
            "address": f"{address}?agent={request.agent.slug}&filename=calls.jsonl.gz",
        }

    return render_page(
        request,
        "uploads/upload.html",
        parts={"uploads": lambda: {"uploads": list(own.exclude(job=None)[:_LISTED])}},
        rest=around,
        status=status,
    )


@requires(Right.INGEST)
@require_http_methods(["OPTIONS", "POST"])
def tus(request: MemberRequest) -> HttpResponse:
    return protocol.at_collection(_tus_request(request), lambda: request.agent, request.user)


@requires(Right.INGEST)
@require_http_methods(["OPTIONS", "HEAD", "PATCH", "DELETE"])
def tus_upload(request: MemberRequest, token: str) -> HttpResponse:
    return protocol.at_upload(_tus_request(request), request.agent.uploads.all(), token)


def _tus_request(request: MemberRequest) -> protocol.TusRequest:
    def address(upload: Upload) -> str:
        return request.agent.address("uploads:tus_upload", upload.token)

    return protocol.TusRequest(request.method or "", request.headers, request, address)


@requires(Right.INGEST)
@require_POST
def discard(request: MemberRequest, pk: int) -> HttpResponse:
    uploads.discard(upload=_upload(request, pk))
    messages.success(request, "The file was discarded. Nothing of it was imported.")
    return redirect(request.agent.address("uploads:upload"))


@requires(Right.VIEW)
@require_safe
def detail(request: MemberRequest, pk: int) -> HttpResponse:
    found = _upload(request, pk)
    if found.job is None and found.delivery:
        return redirect(request.agent.address("uploads:review", found.delivery))
    return render_page(request, "uploads/detail.html", parts={"upload": lambda: _import(request, found)})


def _import(request: MemberRequest, found: Upload) -> dict[str, Any]:
    job, siblings = found.job, _siblings(found)
    may = steering(job, request.membership) if job is not None else {}
    return {
        "upload": found,
        "job": job,
        "may_cancel": may.get("may_cancel"),
        "may_retry": may.get("may_retry") and Path(found.path).is_file(),
        "rejects": kept_rejects.first(found) if request.membership.may(Right.INGEST) else [],
        "siblings": siblings,
        # Its own job; of files that came together, any.
        "watched": job.pk if job and not siblings else None,
    }


def _siblings(found: Upload) -> list[Upload]:
    if not found.delivery:
        return []
    chosen = found.agent.uploads.filter(delivery=found.delivery).exclude(pk=found.pk)
    return list(chosen.select_related("job").order_by("pk")[:_LISTED])


@requires(Right.INGEST)
@require_safe
def rejects(request: MemberRequest, pk: int) -> HttpResponseBase:
    found = _upload(request, pk)
    path = Path(found.rejects_path)
    if not found.rejects_path or not path.is_file():
        raise Http404("This upload has no rejects file.")
    return FileResponse(
        path.open("rb"),
        as_attachment=True,
        filename=f"rejects-{found.pk}.jsonl",
        content_type="application/jsonl",
    )


def _upload(request: MemberRequest, pk: int) -> Upload:
    own = request.agent.uploads.select_related("job", "uploaded_by", "workspace")
    return get_object_or_404(own, pk=pk)
