"""Reads: the tasks of an agent, the calls of a task, what a router can recognise."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from django.db.models import Count, QuerySet

from apps.accounts.models import Agent
from apps.discovery.columns import KeyUse
from apps.discovery.export import recurring_calls
from apps.discovery.models import DiscoveryRun, Task, TaskState
from apps.traces.models import SpanQuerySet

# Neither ignored nor merged.
OPEN_STATES = (TaskState.FOUND, TaskState.ACCEPTED)
# A router may take a key for a task when (almost) every call under it is this task's.
PURE = 0.98


def tasks_of(agent: Agent) -> QuerySet[Task]:
    """Tasks, the largest first. Merged ones are part of another and left out."""
    tasks = agent.tasks.exclude(state=TaskState.MERGED)
    return tasks.order_by("-size", "-pk")


def open_tasks_of(agent: Agent) -> QuerySet[Task]:
    return tasks_of(agent).filter(state__in=OPEN_STATES)


def families(tasks: Iterable[Task]) -> dict[int, list[Task]]:
    """Each task with what was merged into it, at any depth; one query for all."""
    tasks = list(tasks)
    children: dict[int | None, list[Task]] = defaultdict(list)
    merged = Task.objects.filter(agent__in={task.agent_id for task in tasks}, state=TaskState.MERGED)
    for task in merged.select_related("agent__workspace").order_by("-size", "-pk"):
        children[task.merged_into_id].append(task)
    return {task.pk: _with_merged(task, children) for task in tasks}


def _with_merged(task: Task, children: dict[int | None, list[Task]]) -> list[Task]:
    members, seen = [task], {task.pk}
    for member in members:
        fresh = [child for child in children[member.pk] if child.pk not in seen]
        seen.update(child.pk for child in fresh)
        members.extend(fresh)
    return members


def task_family(task: Task) -> list[Task]:
    """The task itself, then what was merged into it."""
    return families([task])[task.pk]


def calls_of(task: Task) -> SpanQuerySet:
    """The calls of a task and of those merged into it."""
    members = [member.pk for member in task_family(task)]
    return task.agent.spans.calls().filter(assignment__task__in=members)


def routing_of(family: Iterable[Task]) -> dict[str, KeyUse]:
    """Routing keys of a task with its merged ones, the most used first."""
    keys: dict[str, KeyUse] = {}
    for member in family:
        for key, use in member.routing_keys.items():
            known = keys.get(key, KeyUse(of=use.of))
            keys[key] = KeyUse(calls=known.calls + use.calls, of=known.of)
    return dict(sorted(keys.items(), key=lambda pair: -pair[1].calls))


def routable_keys(task: Task) -> list[str]:
    """Keys under which (almost) every call is of this task, so that a gateway can send them here."""
    return [key for key, use in routing_of(task_family(task)).items() if use.purity >= PURE]


def last_run(agent: Agent) -> DiscoveryRun | None:
    return agent.discovery_runs.select_related("job__workspace", "started_by").order_by("-pk").first()


def calls_waiting(agent: Agent) -> int:
    """Answered calls that no task has been looked for yet: those newer than the last finished run."""
    calls = recurring_calls(agent)
    done = DiscoveryRun.objects.filter(agent=agent, finished_at__isnull=False).order_by("-pk").first()
    return calls.filter(created_at__gt=done.created_at).count() if done else calls.count()


def state_counts(agent: Agent) -> dict[str, int]:
    return dict(Task.objects.filter(agent=agent).values_list("state").annotate(n=Count("pk")).order_by())
