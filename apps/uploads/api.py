"""Files of traces, uploaded by programs."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import IO, Any, cast

from django.conf import settings
from django.shortcuts import get_object_or_404
from django.urls import reverse
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.accounts.authentication import agent_of, key_of
from apps.accounts.rights import Scope
from apps.core.errors import BadBodyError
from apps.core.parsers import RawParser
from apps.uploads import mappings
from apps.uploads import services as uploads
from apps.uploads.models import Upload


class UploadSerializer(serializers.ModelSerializer[Upload]):
    state = serializers.SerializerMethodField(help_text="partial, waiting, or the state of its import")
    error = serializers.CharField(source="job.error", default="")

    class Meta:
        model = Upload
        fields = (
            "id", "filename", "size", "received", "format", "state", "error", "read", "accepted", "completed",
            "duplicate", "rejected", "created_at",
        )  # fmt: skip

    def get_state(self, upload: Upload) -> str:
        return upload.job.state if upload.job else upload.arrival.value


class ReceivedSerializer(serializers.Serializer[Any]):
    upload = serializers.IntegerField()
    job = serializers.IntegerField()
    status_url = serializers.URLField()


class Uploads(APIView):
    """Files of traces, imported in the background."""

    scope = Scope.INGEST
    parser_classes = (MultiPartParser, RawParser)

    @extend_schema(
        request={"application/octet-stream": bytes},
        responses={202: ReceivedSerializer},
        parameters=[
            OpenApiParameter("agent", str, description="the agent's slug"),
            OpenApiParameter("filename", str, description="what to call the file"),
        ],
    )
    def post(self, request: Request) -> Response:
        """Upload a file (raw body or multipart field `file`), JSON lines, plain or gzip."""
        length = int(request.META.get("CONTENT_LENGTH") or 0)
        if length > settings.LARGEST_UPLOAD:
            raise uploads.UploadTooLargeError(length)
        agent = agent_of(request)
        pieces, filename = _received(request)
        kept = uploads.keep(agent=agent, filename=filename, pieces=pieces)
        (upload,) = uploads.start(choices=[mappings.choice(kept)], actor=None)
        url = request.build_absolute_uri(reverse("upload_status", args=[upload.pk]))
        answer = {"upload": upload.pk, "job": upload.job_id, "status_url": url}
        return Response(answer, status=202, headers={"Location": url})


class UploadStatus(APIView):
    scope = Scope.INGEST

    @extend_schema(responses=UploadSerializer)
    def get(self, request: Request, pk: int) -> Response:
        """How far the import of a file is."""
        key = key_of(request)
        mine = Upload.objects.select_related("job").filter(workspace=key.workspace)
        if key.agent_id is not None:
            mine = mine.filter(agent=key.agent_id)
        return Response(UploadSerializer(get_object_or_404(mine, pk=pk)).data)


def _received(request: Request) -> tuple[Iterator[bytes], str]:
    named = request.query_params.get("filename", "")
    if (request.content_type or "").startswith("multipart/"):
        file = request.FILES.get("file")
        if file is None:
            raise BadBodyError("The form has no file.", hint="Send it as the field `file`.")
        return file.chunks(uploads.CHUNK), named or file.name or "upload"
    # `RawParser` gives the stream itself.
    stream = cast(IO[bytes], request.data if request.stream is not None else io.BytesIO())
    return iter(lambda: stream.read(uploads.CHUNK), b""), named or "upload"
