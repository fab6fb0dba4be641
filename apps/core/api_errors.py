"""What a program is told when its request fails: the one error shape, whatever was raised."""

from __future__ import annotations

from typing import Any

from django.http import Http404
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.views import exception_handler

from apps.core.errors import HubError, error_body


def api_exception_handler(error: Exception, context: dict[str, Any]) -> Response | None:
    if isinstance(error, HubError):
        return Response(error_body(type(error).__name__, error.message, error.hint), status=error.status)
    response = exception_handler(error, context)
    if response is not None:
        kind = "NotFound" if isinstance(error, Http404) else type(error).__name__
        detail = error.detail if isinstance(error, exceptions.APIException) else str(error)
        response.data = error_body(kind, _sentence(detail))
    return response


def _sentence(detail: Any) -> str:
    if isinstance(detail, dict):
        return "; ".join(f"{field}: {_sentence(messages)}" for field, messages in detail.items())
    if isinstance(detail, list):
        return " ".join(_sentence(item) for item in detail)
    return str(detail) or "Not found"
