"""Calls of programs that log them themselves, one or many a request."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from typing import IO, Any

import orjson
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.accounts.authentication import agent_of
from apps.accounts.rights import Scope
from apps.core.errors import BadBodyError, BodyTooLargeError
from apps.core.parsers import RawParser
from apps.ingest.services import IngestSummary, ingest
from apps.traces.models import Source
from slmhub import formats
from slmhub.formats.foreign_json import NotJsonError, decode

MOST_CALLS = 1_000
LARGEST_BODY = 32 * 1024 * 1024
_REJECTS_TOLD = 100


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


def _body(request: Request) -> dict[str, Any]:
    stream = request.stream
    data = stream.read(LARGEST_BODY + 1) if stream is not None else b""
    if len(data) > LARGEST_BODY:
        raise BodyTooLargeError(
            f"A request may carry at most {LARGEST_BODY // 1024**2} MiB.",
            hint="Upload a file to /api/v1/uploads.",
        )
    try:
        body = decode(data)
    except NotJsonError as error:
        raise BadBodyError(f"The body {error}.") from error
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
