"""Who answers what now, how fast, and how often the specialist was not used."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from statistics import median

from django.db.models import Count
from django.utils import timezone

from apps.accounts.models import Agent
from apps.gateway.answers import TEACHER
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
    counted = recorded(agent).values_list("served_by").annotate(calls=Count("pk")).order_by("-calls")
    total = sum(calls for _, calls in counted)
    return [_server(agent, name, calls, total) for name, calls in counted]


def _server(agent: Agent, name: str, calls: int, total: int) -> Server:
    last = (
        recorded(agent)
        .filter(served_by=name)
        .order_by("-started_at")
        .values_list("latency_ms", "simulated")[:SAMPLE]
    )
    latencies = [latency for latency, _ in last if latency is not None]
    simulated = any(simulated for _, simulated in last)
    return Server(name, calls, calls / total, median(latencies) if latencies else None, simulated)


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
