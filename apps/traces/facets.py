"""What narrows the list of calls."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.utils import timezone

from apps.accounts.models import Agent
from apps.core.facets import Choice, Choices, Facet, Text, as_is
from apps.traces.models import Audience, Kind, Session, Source, SpanQuerySet, Status

EVERY_KIND = "all"
PERIODS = {
    "1h": ("Last hour", timedelta(hours=1)),
    "24h": ("Last 24 hours", timedelta(days=1)),
    "7d": ("Last 7 days", timedelta(days=7)),
    "30d": ("Last 30 days", timedelta(days=30)),
    "365d": ("Last 365 days", timedelta(days=365)),
}


def call_facets(agent: Agent, *, models: Choices, actions: Choices) -> list[Facet]:
    def of_session(spans: SpanQuerySet, external_id: str) -> SpanQuerySet:
        # By its key: joined, SQLite walks through all calls of the agent to find the session's.
        named = Session.objects.filter(agent=agent, external_id=external_id)
        return spans.filter(session__in=list(named.values_list("pk", flat=True)))

    def emitters() -> list[tuple[int, str]]:
        return [(row.pk, row.name or row.get_source_display()) for row in agent.emitters.all()]

    return [
        # The search decides which spans the list begins with.
        Text("q", "Search messages", longest=500, narrow=as_is),
        Choice("model", "Model", models, or_other=True),
        Choice("action", "Action", actions, or_other=True),
        Choice("status", "Status", Status.choices),
        Choice("audience", "Audience", Audience.choices),
        Choice("source", "Source", Source.choices),
        Choice(
            "kind", "Kind", [(EVERY_KIND, "Every kind"), *Kind.choices], default=Kind.LLM, narrow=_of_kind
        ),
        Choice("period", "Time", _periods(), every="Any", narrow=_since),
        Text("session", "Session", narrow=of_session, offered=False),
        Choice("emitter", "Sender", emitters, offered=False),
    ]


def _of_kind(spans: SpanQuerySet, kind: str) -> SpanQuerySet:
    return spans if kind == EVERY_KIND else spans.filter(kind=kind)


def _since(spans: SpanQuerySet, period: str) -> SpanQuerySet:
    return spans.filter(started_at__gte=timezone.now() - PERIODS[period][1])


def _periods() -> list[tuple[Any, Any]]:
    return [(key, label) for key, (label, _) in PERIODS.items()]
