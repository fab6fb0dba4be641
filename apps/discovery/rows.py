"""The lines of the task list."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

from apps.accounts.models import Agent
from apps.core.facets import Filters
from apps.discovery.models import Task
from apps.discovery.readiness import Readiness, readiness
from apps.discovery.selectors import families, tasks_of

MOST_ROWS = 300


@dataclass(frozen=True)
class TaskRow:
    """A task with what was merged into it, as one line of the list."""

    task: Task
    family: Sequence[Task]

    @property
    def merged(self) -> Sequence[Task]:
        return self.family[1:]

    @cached_property
    def size(self) -> int:
        return sum(member.size for member in self.family)

    @cached_property
    def tokens(self) -> int:
        return sum(member.figures.tokens for member in self.family)

    @property
    def tokens_per_call(self) -> float | None:
        return self.tokens / self.size if self.size and self.tokens else None

    @property
    def cohesion(self) -> float:
        return self.task.cohesion or 0.0

    @property
    def cost(self) -> float | None:
        known = [member.figures.cost for member in self.family if member.figures.cost is not None]
        return sum(known) if known else None

    @property
    def failed(self) -> float | None:
        """Share of its sessions that failed, among those whose outcome is known."""
        judged = sum(member.figures.judged_sessions for member in self.family)
        failed = sum(member.figures.failed_sessions for member in self.family)
        return failed / judged if judged else None

    @property
    def latency_ms(self) -> float | None:
        known = [(m.size, m.figures.mean_latency_ms) for m in self.family if m.figures.mean_latency_ms]
        calls = sum(size for size, _ in known)
        return sum(size * mean for size, mean in known) / calls if calls else None

    @property
    def simulated(self) -> bool:
        return any(member.figures.simulated for member in self.family)

    @cached_property
    def readiness(self) -> Readiness:
        return readiness(self.family)


ORDERS: dict[str, Callable[[TaskRow], float]] = {
    "size": lambda row: row.size,
    "tokens": lambda row: row.tokens,
    "cohesion": lambda row: row.cohesion,
    "failed": lambda row: row.failed or 0.0,
}


@dataclass(frozen=True)
class TaskList:
    rows: list[TaskRow]
    found: int
    total_calls: int
    largest: int

    @property
    def simulated(self) -> bool:
        return any(row.simulated for row in self.rows)

    @property
    def is_cut(self) -> bool:
        return len(self.rows) < self.found


def task_list(agent: Agent, filters: Filters) -> TaskList:
    """The rows of the list in the wanted order; at most `MOST_ROWS`."""
    tasks = list(filters.narrow(tasks_of(agent)))
    members = families(tasks)
    rows = [TaskRow(task, members[task.pk]) for task in tasks]
    figure = ORDERS[filters["order"]]
    rows.sort(key=lambda row: (-figure(row), row.task.pk))
    total = sum(Task.objects.filter(agent=agent).values_list("size", flat=True))
    largest = max((row.size for row in rows), default=0)
    return TaskList(rows[:MOST_ROWS], len(rows), total, largest)
