"""Stores what a run found: tasks, assignments, routing keys, figures."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from django.db import transaction
from django.db.models import Avg, Count, Q, Sum
from django.db.models.functions import Length
from django.utils import timezone
from msgspec.structs import asdict

from apps.accounts.models import Agent
from apps.discovery.columns import KeyUse, RunFigures, TaskFigures
from apps.discovery.events import DiscoveryFinished
from apps.discovery.export import recurring_calls
from apps.discovery.models import Assignment, DiscoveryRun, Task, TaskState
from apps.discovery.results import NONE, Cluster, Known, PlacedCall, count_shared, fresh_key, recognise
from apps.events.services import publish
from apps.traces.models import Audience, Outcome, Span
from slmhub.formats import signature

BATCH = 2000
# A free-text step that gives the same few short answers again and again is read by a program.
LABEL_SHARE, LABEL_KINDS, LABEL_LENGTH, LABEL_CALLS = 0.1, 50, 40, 20


@transaction.atomic
def store(run: DiscoveryRun, clusters: Sequence[Cluster], places: Sequence[PlacedCall]) -> RunFigures:
    """Replaces the agent's assignments. Names, states and merges of recognised tasks stay."""
    agent = run.agent
    before = dict(Assignment.objects.filter(task__agent=agent).values_list("span_id", "task_id"))
    tasks = _save_tasks(run, clusters, count_shared(places, before))
    _assign(agent, places, {cluster.number: task for cluster, task in tasks})
    found = [task for _, task in tasks]
    _measure(agent, found)
    gone = _retire(agent, found)
    run.finished_at = timezone.now()
    run.figures = RunFigures(
        calls=len(places),
        tasks=len(found),
        unassigned=sum(place.cluster == NONE for place in places),
        new=sum(task.run_id == run.pk for task in found),
        gone=gone,
    )
    run.save(update_fields=["finished_at", "figures"])
    fact = DiscoveryFinished(run=run.pk, **asdict(run.figures))
    publish(fact, workspace=agent.workspace, agent=agent, actor=run.started_by)
    return run.figures


def _save_tasks(
    run: DiscoveryRun, clusters: Sequence[Cluster], shared: dict[tuple[int, int], int]
) -> list[tuple[Cluster, Task]]:
    old = {task.pk: task for task in Task.objects.filter(agent=run.agent)}
    known = recognise(clusters, [Known(task.pk, task.cell, task.size) for task in old.values()], shared)
    taken = {task.cell for task in old.values()}
    saved = []
    for cluster in clusters:
        same = known.get(cluster.number)
        task = old[same.pk] if same else Task(agent=run.agent, run=run, cell=fresh_key(cluster, taken))
        taken.add(task.cell)
        task.title, task.subtitle = cluster.title, cluster.subtitle
        task.keywords, task.exemplar_ids = cluster.keywords, cluster.exemplars
        task.action, task.previous = cluster.action[:200], cluster.previous[:120]
        task.cohesion = cluster.cohesion
        task.save()
        saved.append((cluster, task))
    return saved


def _assign(agent: Agent, places: Sequence[PlacedCall], tasks: dict[int, Task]) -> None:
    Assignment.objects.filter(task__agent=agent).delete()
    # A call may have been erased while the clustering ran.
    alive = set(Span.objects.filter(agent=agent).values_list("pk", flat=True))
    rows = (
        Assignment(
            span_id=place.span,
            task=tasks[place.cluster],
            probability=place.probability,
            x=place.x,
            y=place.y,
        )
        for place in places
        if place.cluster in tasks and place.span in alive
    )
    Assignment.objects.bulk_create(rows, batch_size=BATCH)


def _measure(agent: Agent, tasks: Sequence[Task]) -> None:
    measured, keys = _measured(agent), _routing_keys(agent)
    for task in tasks:
        figures, answer_length = measured.get(task.pk, (TaskFigures(), 0.0))
        task.size = figures.calls
        task.audience = _audience(task, figures, answer_length)
        task.figures = figures
        task.routing_keys = keys.get(task.pk, {})
    Task.objects.bulk_update(tasks, ["size", "audience", "figures", "routing_keys"], batch_size=200)


def _audience(task: Task, figures: TaskFigures, answer_length: float) -> Audience:
    labels = (
        task.action == signature.RESPOND
        and figures.calls >= LABEL_CALLS
        and figures.answers <= min(LABEL_KINDS, LABEL_SHARE * figures.calls)
        and answer_length <= LABEL_LENGTH
    )
    return Audience.MACHINE if labels or figures.machine * 2 > figures.calls else Audience.HUMAN


def _measured(agent: Agent) -> dict[int, tuple[TaskFigures, float]]:
    """By task, its figures and how long its answers are."""
    rows = (
        Assignment.objects.filter(task__agent=agent)
        .values("task_id")
        .annotate(
            calls=Count("pk"),
            machine=Count("pk", filter=Q(span__audience=Audience.MACHINE)),
            simulated=Count("pk", filter=Q(span__simulated=True)),
            answers=Count("span__output", distinct=True),
            answer_length=Avg(Length("span__output_preview")),
            sessions=Count("span__session", distinct=True),
            judged_sessions=Count(
                "span__session", distinct=True, filter=~Q(span__session__outcome=Outcome.UNKNOWN)
            ),
            failed_sessions=Count(
                "span__session", distinct=True, filter=Q(span__session__outcome=Outcome.FAILURE)
            ),
            input_tokens=Sum("span__input_tokens", default=0),
            output_tokens=Sum("span__output_tokens", default=0),
            mean_latency_ms=Avg("span__latency_ms"),
            cost=Sum("span__cost"),
        )
    )
    measured = {}
    for row in map(dict[str, Any], rows):
        task, answer_length = row.pop("task_id"), row.pop("answer_length")
        measured[task] = TaskFigures(**row), answer_length or 0.0
    return measured


def _routing_keys(agent: Agent) -> dict[int, dict[str, KeyUse]]:
    """Failed sessions do not count: there the teacher may have done the wrong thing, not another task."""
    steady = recurring_calls(agent).exclude(session__outcome=Outcome.FAILURE).order_by()
    totals = dict(steady.values_list("routing_key").annotate(n=Count("pk")))
    rows = (
        Assignment.objects.filter(task__agent=agent)
        .exclude(span__session__outcome=Outcome.FAILURE)
        .exclude(span__routing_key="")
        .values_list("task_id", "span__routing_key")
        .annotate(n=Count("pk"))
    )
    keys: dict[int, dict[str, KeyUse]] = defaultdict(dict)
    for task, key, calls in rows:
        keys[task][key] = KeyUse(calls, of=totals.get(key, calls))
    return keys


def _retire(agent: Agent, found: Sequence[Task]) -> int:
    """Tasks that are gone: untouched ones go, the others stay without calls. Returns how many."""
    gone = Task.objects.filter(agent=agent).exclude(pk__in=[task.pk for task in found])
    number = gone.count()
    gone.filter(touched_at__isnull=True, state=TaskState.FOUND).delete()
    gone.update(size=0, routing_keys={}, figures=TaskFigures(), exemplar_ids=[])
    return number
