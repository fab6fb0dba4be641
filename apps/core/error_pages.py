"""What stands where a page cannot: an own page for people, the one error shape for programs."""

from __future__ import annotations

import logging
import secrets

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.template.loader import render_to_string

from apps.core.errors import HubError, error_body

PROGRAM_PATHS = ("/api/", "/v1/")
log = logging.getLogger(__name__)


def forbidden(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    message = str(exception or "") or "You may not do this."
    if _is_program(request):
        return JsonResponse(error_body("PermissionDenied", message), status=403)
    return render(request, "errors/403.html", {"message": message}, status=403)


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    if _is_program(request):
        return JsonResponse(error_body("NotFound", "There is nothing at this address."), status=404)
    return render(request, "errors/404.html", status=404)


def refused(request: HttpRequest, error: HubError) -> HttpResponse:
    if _is_program(request):
        return JsonResponse(error_body(type(error).__name__, error.message, error.hint), status=error.status)
    return render(request, "errors/refused.html", {"error": error}, status=error.status)


def server_error(request: HttpRequest) -> HttpResponse:
    """Neither database nor context processors are asked: they may be what broke."""
    error_id = secrets.token_hex(4)
    log.error("error %s at %s %s", error_id, request.method, request.path)
    if _is_program(request):
        return JsonResponse(
            error_body("ServerError", f"Something broke here; the log has it as {error_id}."), status=500
        )
    return HttpResponse(render_to_string("errors/500.html", {"error_id": error_id}), status=500)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """`settings.CSRF_FAILURE_VIEW`: mostly a page that stood open over a sign-in."""
    message = "This page is too old to be sent, or your browser keeps no cookies. Reload it and try again."
    if _is_program(request):
        return JsonResponse(error_body("CsrfFailed", message), status=403)
    return render(request, "errors/403.html", {"message": message}, status=403)


def _is_program(request: HttpRequest) -> bool:
    return request.path.startswith(PROGRAM_PATHS)
