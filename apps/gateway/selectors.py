"""Who answers what now, how fast, and how often the specialist was not used."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from statistics import median

from django.db.models import Count, F, Window
from django.db.models.functions import RowNumber
from django.utils import timezone

from apps.accounts.models import Agent
from apps.gateway.backends.teacher import TEACHER
from apps.rollouts.models import Route
from apps.traces.models import Source, Span, SpanQuerySet

WINDOW = timedelta(hours=24)
SAMPLE = 500


@dataclass(frozen=True)
class Server:
    """One answering model in the last 24 hours; the latency is the median of its last calls, in ms."""

    name: str
    calls: int
    share: float
    latency_ms: float | None
    simulated: bool

    @property
    def is_teacher(self) -> bool:
        return self.name == TEACHER


def recorded(agent: Agent) -> SpanQuerySet:
    since = timezone.now() - WINDOW
    return agent.spans.calls().filter(source=Source.GATEWAY, started_at__gte=since)


def servers(agent: Agent) -> list[Server]:
    """The busiest first; one query, however many they are."""
    ranked = recorded(agent).annotate(
        calls=Window(Count("pk"), partition_by=[F("served_by")]),
        rank=Window(RowNumber(), partition_by=[F("served_by")], order_by=F("started_at").desc()),
    )
    last: dict[tuple[str, int], list[tuple[float | None, bool]]] = {}
    rows = ranked.filter(rank__lte=SAMPLE).values_list("served_by", "calls", "latency_ms", "simulated")
    for name, calls, latency, simulated in rows:
        last.setdefault((name, calls), []).append((latency, simulated))
    total = sum(calls for _, calls in last)
    found = [_server(name, calls, calls / total, sample) for (name, calls), sample in last.items()]
    return sorted(found, key=lambda server: -server.calls)


def _server(name: str, calls: int, share: float, sample: list[tuple[float | None, bool]]) -> Server:
    latencies = [latency for latency, _ in sample if latency is not None]
    simulated = any(simulated for _, simulated in sample)
    return Server(name, calls, share, median(latencies) if latencies else None, simulated)


def fallbacks(agent: Agent) -> list[tuple[str, int]]:
    """Why the teacher answered in a specialist's place, with how often."""
    last = recorded(agent).exclude(fallback="").order_by("-started_at")
    return Counter(last.values_list("fallback", flat=True)[:SAMPLE]).most_common()


def routes(agent: Agent) -> list[Route]:
    return list(
        agent.routes.select_related("task", "specialist", "rollout").order_by("-is_on", "-changed_at")
    )


def last_calls(agent: Agent) -> list[Span]:
    calls = agent.spans.calls().filter(source=Source.GATEWAY)
    return list(calls.order_by("-started_at", "-pk")[:20])
