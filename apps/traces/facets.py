"""What narrows the list of calls."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import Any

from django.db import connection
from django.utils import timezone

from apps.accounts.models import Agent
from apps.core.facets import Choice, Facet, Text, as_is
from apps.traces.models import Audience, Kind, Session, Source, SpanQuerySet, Status

EVERY_KIND = "all"
MOST_VALUES = 100
PERIODS = {
    "1h": ("Last hour", timedelta(hours=1)),
    "24h": ("Last 24 hours", timedelta(days=1)),
    "7d": ("Last 7 days", timedelta(days=7)),
    "30d": ("Last 30 days", timedelta(days=30)),
    "365d": ("Last 365 days", timedelta(days=365)),
}


def call_facets(agent: Agent) -> list[Facet]:
    def of_session(spans: SpanQuerySet, external_id: str) -> SpanQuerySet:
        # By its key: joined, SQLite walks through all calls of the agent to find the session's.
        named = Session.objects.filter(agent=agent, external_id=external_id)
        return spans.filter(session__in=list(named.values_list("pk", flat=True)))

    def emitters() -> list[tuple[int, str]]:
        return [(row.pk, row.name or row.get_source_display()) for row in agent.emitters.all()]

    return [
        # The search decides which spans the list begins with.
        Text("q", "Search messages", longest=500, narrow=as_is),
        Choice("model", "Model", partial(_values_of, agent, "model"), or_other=True),
        Choice("action", "Action", partial(_values_of, agent, "action"), or_other=True),
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


def _values_of(agent: Agent, column: str) -> list[tuple[str, str]]:
    """The distinct values of an indexed column as choices, found by one index seek each."""
    sql = f"""
        WITH RECURSIVE found(value) AS (
            SELECT MIN({column}) FROM traces_span WHERE agent_id = %s
            UNION ALL
            SELECT (SELECT MIN({column}) FROM traces_span WHERE agent_id = %s AND {column} > found.value)
            FROM found WHERE found.value IS NOT NULL
        ) SELECT value FROM found WHERE value IS NOT NULL AND value <> '' LIMIT %s
    """  # noqa: S608 - the column is named above
    with connection.cursor() as cursor:
        cursor.execute(sql, [agent.pk, agent.pk, MOST_VALUES])
        return [(row[0], row[0]) for row in cursor.fetchall()]
