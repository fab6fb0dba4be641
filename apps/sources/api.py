"""The ingest doctor for programs."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.accounts.authentication import agent_of
from apps.accounts.rights import Scope
from apps.sources.doctor import Complaint, Diagnosis, diagnoses


class ComplaintSerializer(serializers.Serializer[Any]):
    finding = serializers.CharField()
    says = serializers.CharField()
    spans = serializers.IntegerField()
    of = serializers.IntegerField(help_text="the spans or calls that were judged for it")
    grave = serializers.BooleanField()
    setting = serializers.CharField(allow_null=True, help_text="the one setting that mends it")
    where = serializers.CharField(allow_null=True)


class SourceSerializer(serializers.Serializer[Any]):
    source = serializers.CharField()  # type: ignore[assignment]  # a serializer has one, too
    convention = serializers.CharField()
    emitter = serializers.CharField()
    status = serializers.ChoiceField(choices=["ok", "warn", "bad"])
    last_at = serializers.DateTimeField()
    accepted = serializers.IntegerField()
    completed = serializers.IntegerField()
    duplicate = serializers.IntegerField()
    rejected = serializers.IntegerField()
    judged_spans = serializers.IntegerField()
    judged_calls = serializers.IntegerField()
    shares = serializers.DictField(child=serializers.FloatField(), help_text="share of calls, 0 to 1")
    complaints = ComplaintSerializer(many=True)


class Sources(APIView):
    scope = Scope.READ

    @extend_schema(
        parameters=[OpenApiParameter("agent", description="slug; not needed for a key of one agent")],
        responses=SourceSerializer(many=True),
    )
    def get(self, request: Request) -> Response:
        """What every source sends, what is missing in it, and the setting that mends it."""
        agent = agent_of(request)
        return Response([_told(one) for one in diagnoses(agent)])


def _told(one: Diagnosis) -> dict[str, Any]:
    emitter = one.emitter
    counts = {name: getattr(emitter, name) for name in ("accepted", "completed", "duplicate", "rejected")}
    return {
        "source": emitter.source,
        "convention": emitter.format,
        "emitter": emitter.name,
        "status": one.status,
        "last_at": emitter.last_at,
        **counts,
        "judged_spans": one.spans,
        "judged_calls": one.calls,
        "shares": {share.name: share.value for share in one.shares},
        "complaints": [_complaint(complaint) for complaint in one.complaints],
    }


def _complaint(complaint: Complaint) -> dict[str, Any]:
    remedy = complaint.remedy
    return {
        "finding": complaint.finding.value,
        "says": complaint.says,
        "spans": complaint.spans,
        "of": complaint.of,
        "grave": complaint.grave,
        "setting": remedy.setting if remedy else None,
        "where": remedy.where if remedy else None,
    }
