"""Traces for programs: files, and calls one by one."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from typing import IO, Any

import orjson
from django.conf import settings
from django.http import Http404
from django.shortcuts import get_object_or_404
from django.urls import reverse
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import PermissionDenied
from rest_framework.parsers import BaseParser, MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.accounts.access import Scope
from apps.accounts.models import Agent, ApiKey
from apps.core.errors import HubError
from apps.traces.files import mappings, uploads
from apps.traces.ingest import IngestSummary, ingest
from apps.traces.models import Source, Upload
from slmhub import formats

MOST_CALLS = 1_000
LARGEST_BODY = 32 * 1024 * 1024
AGENT_HEADER = "x-slmhub-agent"
_REJECTS_TOLD = 100


class BadBodyError(HubError):
    """The body is not what this address takes."""


class BodyTooLargeError(HubError):
    """More than one request may carry."""

    status = 413


class RawParser(BaseParser):
    """Hands the body's stream through, whatever its type."""

    media_type = "*/*"

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:
        return stream


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


class CallsSerializer(serializers.Serializer[Any]):
    agent = serializers.SlugField(
        required=False,
        help_text="the agent's slug; not needed for a key of one agent, nor where there is only one",
    )
    calls = serializers.ListField(
        child=serializers.DictField(),
        help_text="calls in any format that a file may have: {id?, session_id?, request, response, …}, "
        "requests and responses of other providers, exports; a call with an id that is known changes nothing",
    )


class RejectSerializer(serializers.Serializer[Any]):
    line = serializers.IntegerField(help_text="place in `calls`, from 1")
    reason = serializers.CharField()


class SummarySerializer(serializers.Serializer[Any]):
    read = serializers.IntegerField()
    accepted = serializers.IntegerField()
    completed = serializers.IntegerField(help_text="late parts of calls that were there")
    duplicate = serializers.IntegerField()
    rejected = serializers.IntegerField()
    rejects = RejectSerializer(many=True)


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
        mine = Upload.objects.select_related("job").filter(workspace=request.auth.workspace)
        if request.auth.agent_id is not None:
            mine = mine.filter(agent=request.auth.agent_id)
        return Response(UploadSerializer(get_object_or_404(mine, pk=pk)).data)


class Calls(APIView):
    """Calls, answered after they are stored. 429 while the hub holds as much as it may."""

    scope = Scope.INGEST
    parser_classes = (RawParser,)

    @extend_schema(request=CallsSerializer, responses={200: SummarySerializer, 422: SummarySerializer})
    def post(self, request: Request) -> Response:
        """Send one or many logged calls of any format. 422 when none of them could be stored."""
        body = _body(request)
        calls = body.pop("calls", None)
        agent = agent_of(request, str(body.pop("agent", "")))
        rows = _rows([body] if calls is None else calls)
        refused: IO[str] = io.StringIO()
        summary = ingest(
            agent=agent,
            records=_records(rows),
            source=Source.API,
            rejects=refused,
            emitter_hint=request.headers.get("user-agent", ""),
        )
        known = summary.accepted + summary.completed + summary.duplicate
        return Response(_told(summary, refused), status=200 if known else 422)


def agent_of(request: Request, named: str = "") -> Agent:
    """The agent that a request is about, as far as its key may go: named in its body, address or header,
    else the key's own, else the workspace's only one."""
    key: ApiKey = request.auth
    slug = named or request.query_params.get("agent", "") or request.headers.get(AGENT_HEADER, "")
    if key.agent is not None:
        if slug and slug != key.agent.slug:
            raise PermissionDenied(f"This API key belongs to the agent {key.agent.slug!r}.")
        return key.agent
    agents = key.workspace.agents.select_related("workspace")
    found = list(agents.filter(slug=slug) if slug else agents.order_by("pk")[:2])
    if len(found) == 1:
        return found[0]
    if slug:
        raise Http404(f"There is no agent {slug!r} in this workspace.")
    raise BadBodyError("Name the agent.", hint="Add ?agent=SLUG, or use a key that belongs to one agent.")


def _received(request: Request) -> tuple[Iterator[bytes], str]:
    named = request.query_params.get("filename", "")
    if (request.content_type or "").startswith("multipart/"):
        file = request.FILES.get("file")
        if file is None:
            raise BadBodyError("The form has no file.", hint="Send it as the field `file`.")
        return file.chunks(uploads.CHUNK), named or file.name or "upload"
    stream = request.data if request.stream is not None else io.BytesIO()
    return iter(lambda: stream.read(uploads.CHUNK), b""), named or "upload"


def _body(request: Request) -> dict[str, Any]:
    stream = request.stream
    data = stream.read(LARGEST_BODY + 1) if stream is not None else b""
    if len(data) > LARGEST_BODY:
        raise BodyTooLargeError(
            f"A request may carry at most {LARGEST_BODY // 1024**2} MiB.",
            hint="Upload a file to /api/v1/uploads.",
        )
    try:
        body = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise BadBodyError(f"The body is not JSON: {error.msg} at character {error.pos}.") from error
    if not isinstance(body, dict):
        raise BadBodyError("The body must be a JSON object.", hint='Send {"agent": "…", "calls": […]}.')
    return body


def _rows(calls: Any) -> list[Any]:
    if not isinstance(calls, list) or not calls:
        raise BadBodyError("`calls` must be a list with at least one call.")
    if len(calls) > MOST_CALLS:
        raise BodyTooLargeError(
            f"A request may carry at most {MOST_CALLS:,} calls.", hint="Upload a file to /api/v1/uploads."
        )
    return calls


def _records(rows: list[Any]) -> Iterator[formats.Record | formats.Reject]:
    # Records that name no trace share one by what was sent: a second delivery gets the same ids.
    delivery = hashlib.sha256(_written(rows)).hexdigest()[:32]
    for place, row in enumerate(rows, start=1):
        try:
            found = formats.parse_rows(row, delivery=delivery)
        except formats.MalformedError as error:
            found = [formats.Reject(place, str(error), "")]
        for item in found:
            if isinstance(item, formats.Reject):
                item.line = place
            yield item


def _written(rows: list[Any]) -> bytes:
    """The rows as text; those that are too deep to be written are too deep to be stored."""
    try:
        return orjson.dumps(rows)
    except TypeError:
        return b"".join(_written([row]) for row in rows) if len(rows) > 1 else b""


def _told(summary: IngestSummary, refused: IO[str]) -> dict[str, Any]:
    refused.seek(0)
    lines = [orjson.loads(line) for _, line in zip(range(_REJECTS_TOLD), refused, strict=False)]
    rejects = [{"line": line["line"], "reason": line["reason"]} for line in lines]
    return {**summary.as_dict(), "rejects": rejects}
