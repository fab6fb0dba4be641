"""Start a discovery run; name, accept, ignore and merge tasks: a conditional update and its event each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from django.db import transaction
from django.utils import timezone

from apps.accounts.models import Agent, User
from apps.accounts.rights import Right
from apps.core.errors import ConflictError, HubError
from apps.discovery.columns import RunFigures
from apps.discovery.events import (
    NamedTask,
    TaskAccepted,
    TaskFact,
    TaskIgnored,
    TaskMerged,
    TaskRenamed,
    TaskReopened,
    TaskUnmerged,
)
from apps.discovery.export import recurring_calls
from apps.discovery.models import DiscoveryRun, Task, TaskState
from apps.events.services import publish
from apps.jobs import services as jobs

LONGEST_NAME = 200


class NoCallsError(HubError):
    """There is nothing to cluster."""

    status = 409


class BadMergeError(HubError):
    """These tasks cannot become one."""

    status = 422


@transaction.atomic
def start_run(*, agent: Agent, actor: User | None) -> DiscoveryRun:
    """A run, queued; one at a time for an agent. Raises `AlreadyRunningError` and `NoCallsError`."""
    calls = recurring_calls(agent).count()
    if not calls:
        raise NoCallsError(f"{agent} has no answered calls yet.", hint="Upload traces first.")
    run = DiscoveryRun.objects.create(agent=agent, started_by=actor, figures=RunFigures(calls=calls))
    run.job = jobs.start(
        workspace=agent.workspace,
        agent=agent,
        title=f"Discover tasks of {agent}",
        entry="apps.discovery.jobs.run",
        arguments={"run_id": run.pk},
        right=Right.LABEL,
        exclusive_key=f"discovery:{agent.pk}",
        actor=actor,
        url=run.get_absolute_url(),
    )
    run.save(update_fields=["job"])
    return run


@transaction.atomic
def rename(*, task: Task, name: str, actor: User) -> Task:
    """A name given by a person; empty takes back the title that discovery found."""
    name = " ".join(name.split())
    if len(name) > LONGEST_NAME:
        raise HubError(f"A name has at most {LONGEST_NAME} characters.", hint="Shorten it.")
    old = str(task)
    Task.objects.filter(pk=task.pk).update(name=name, touched_at=timezone.now())
    task.refresh_from_db()
    _publish(TaskRenamed(task=task.pk, name=str(task), old=old), task, actor)
    return task


@transaction.atomic
def accept(*, task: Task, actor: User) -> Task:
    _move(task, [TaskState.FOUND], TaskState.ACCEPTED)
    _publish(TaskAccepted(task=task.pk, name=str(task)), task, actor)
    return task


@transaction.atomic
def ignore(*, task: Task, actor: User) -> Task:
    _move(task, [TaskState.FOUND], TaskState.IGNORED)
    _publish(TaskIgnored(task=task.pk, name=str(task)), task, actor)
    return task


@transaction.atomic
def reopen(*, task: Task, actor: User) -> Task:
    _move(task, [TaskState.ACCEPTED, TaskState.IGNORED], TaskState.FOUND)
    _publish(TaskReopened(task=task.pk, name=str(task)), task, actor)
    return task


@transaction.atomic
def merge(*, tasks: Sequence[Task], into: Task, actor: User) -> Task:
    """`tasks` become part of `into`, which keeps its name and state; `unmerge` takes it back."""
    others = [task for task in tasks if task.pk != into.pk]
    _check_merge(others, into)
    for task in others:
        moved = Task.objects.filter(pk=task.pk, state__in=[TaskState.FOUND, TaskState.ACCEPTED]).update(
            state=TaskState.MERGED, merged_into=into, touched_at=timezone.now()
        )
        if not moved:
            raise ConflictError(f"“{task}” is {task.get_state_display().lower()}.", hint="Reopen it first.")
    Task.objects.filter(pk=into.pk).update(touched_at=timezone.now())
    _publish(TaskMerged(task=into.pk, name=str(into), merged=_named(others)), into, actor)
    return into


def _check_merge(others: Sequence[Task], into: Task) -> None:
    if not others:
        raise BadMergeError("A merge needs two tasks.", hint="Tick at least two rows.")
    if any(task.agent_id != into.agent_id for task in others):
        raise BadMergeError("Tasks of different agents cannot be merged.")
    if into.state not in (TaskState.FOUND, TaskState.ACCEPTED):
        raise ConflictError(
            f"“{into}” is {into.get_state_display().lower()}.", hint="Merge into an open task."
        )


@transaction.atomic
def unmerge(*, task: Task, actor: User, parts: Iterable[Task] | None = None) -> list[Task]:
    """Takes `parts` (all that were merged into it, when not given) out of `task` again."""
    wanted = Task.objects.filter(merged_into=task, state=TaskState.MERGED)
    if parts is not None:
        wanted = wanted.filter(pk__in=[part.pk for part in parts])
    released = list(wanted)
    if not released:
        raise ConflictError("Nothing of this is merged into the task any more.")
    wanted.update(state=TaskState.FOUND, merged_into=None, touched_at=timezone.now())
    _publish(TaskUnmerged(task=task.pk, name=str(task), released=_named(released)), task, actor)
    return released


def _move(task: Task, sources: Sequence[TaskState], target: TaskState) -> None:
    moved = Task.objects.filter(pk=task.pk, state__in=sources).update(state=target, touched_at=timezone.now())
    task.refresh_from_db()
    if not moved:
        raise ConflictError(
            f"“{task}” is {task.get_state_display().lower()} already.", hint="Reload the page."
        )


def _named(tasks: Iterable[Task]) -> list[NamedTask]:
    return [{"task": task.pk, "name": str(task)} for task in tasks]


def _publish(fact: TaskFact, task: Task, actor: User) -> None:
    publish(fact, workspace=task.agent.workspace, agent=task.agent, actor=actor)
