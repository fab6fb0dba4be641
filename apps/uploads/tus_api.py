"""Resumable uploads for programs: the tus protocol behind an API key."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.urls import reverse
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.views import APIView

from apps.accounts.authentication import agent_of, key_of
from apps.accounts.rights import Scope
from apps.core.parsers import RawParser
from apps.uploads import tus
from apps.uploads.models import Upload

_VERSION = OpenApiParameter("Tus-Resumable", str, OpenApiParameter.HEADER, required=True, default=tus.VERSION)
_OFFSET = OpenApiParameter("Upload-Offset", int, OpenApiParameter.HEADER, required=True)
_PIECE = {tus.PIECE_TYPE: bytes}


class TusUploads(APIView):
    """Where a resumable upload begins."""

    scope = Scope.INGEST
    parser_classes = (RawParser,)

    @extend_schema(
        request=_PIECE,
        responses={201: None},
        parameters=[
            _VERSION,
            OpenApiParameter("agent", str, description="the agent's slug"),
            OpenApiParameter("Upload-Length", int, OpenApiParameter.HEADER, required=True),
            OpenApiParameter(
                "Upload-Metadata",
                str,
                OpenApiParameter.HEADER,
                description="`filename` and `delivery`, base64; files of one delivery are read together",
            ),
        ],
    )
    def post(self, request: Request) -> HttpResponse:
        """Announce a file (tus 1.0.0: creation); its import starts when the last byte has come."""
        return tus.at_collection(_tus_request(request), lambda: agent_of(request), None)

    @extend_schema(exclude=True)
    def options(  # type: ignore[override]  # tus has an answer of its own
        self, request: Request, *arguments: Any, **named: Any
    ) -> HttpResponse:
        return tus.at_collection(_tus_request(request), lambda: agent_of(request), None)


class TusUpload(APIView):
    """One file on its way."""

    scope = Scope.INGEST
    parser_classes = (RawParser,)

    @extend_schema(request=_PIECE, responses={204: None}, parameters=[_VERSION, _OFFSET])
    def patch(self, request: Request, token: str) -> HttpResponse:
        """Send the next piece. 409 when it does not begin at the offset that HEAD tells."""
        return self._answer(request, token)

    @extend_schema(responses={200: None}, parameters=[_VERSION])
    def head(self, request: Request, token: str) -> HttpResponse:
        """How much of the file is on disk."""
        return self._answer(request, token)

    @extend_schema(responses={204: None}, parameters=[_VERSION])
    def delete(self, request: Request, token: str) -> HttpResponse:
        """Give the upload up."""
        return self._answer(request, token)

    @extend_schema(exclude=True)
    def options(  # type: ignore[override]
        self, request: Request, token: str, *arguments: Any, **named: Any
    ) -> HttpResponse:
        return self._answer(request, token)

    def _answer(self, request: Request, token: str) -> HttpResponse:
        key = key_of(request)
        mine = Upload.objects.filter(workspace=key.workspace)
        if key.agent_id is not None:
            mine = mine.filter(agent=key.agent_id)
        return tus.at_upload(_tus_request(request), mine, token)


def _tus_request(request: Request) -> tus.TusRequest:
    def address(upload: Upload) -> str:
        return request.build_absolute_uri(reverse("tus_upload", args=[upload.token]))

    # The body goes to disk as it comes: no parser of the framework may read it.
    return tus.TusRequest(
        request.method or "", request.headers, request._request, address, starts_at_once=True
    )
