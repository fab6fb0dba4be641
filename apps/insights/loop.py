"""One agent's way through the loop, with the figures that the home page shows beside it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import IntegerField, QuerySet, Subquery

from apps.accounts.models import Agent
from apps.discovery.models import TaskState
from apps.evaluation.models import EvaluationRun, Verdict
from apps.jobs.models import State
from apps.lifecycle import selectors as lifecycle
from apps.lifecycle.order import AgentRows
from apps.privacy.models import Decision, Finding
from apps.registry.models import BaseModel, Teacher
from apps.registry.selectors import teacher_of
from apps.rollouts.models import Rollout, RolloutState

# Counting further would make the first page slow and tell nobody more.
COUNT_TO = 50_000


@dataclass(frozen=True)
class Count:
    """A figure that was counted up to `COUNT_TO`."""

    value: int

    def __str__(self) -> str:
        return f"{COUNT_TO:,}+" if self.value > COUNT_TO else f"{self.value:,}"

    def __bool__(self) -> bool:
        return self.value > 0


class Counted(Subquery):
    """How many rows, up to the bound, as one column: many counts make one query."""

    template = "(SELECT COUNT(*) FROM (%(subquery)s) counted)"
    output_field = IntegerField()

    def __init__(self, rows: QuerySet[Any]) -> None:
        super().__init__(rows.order_by().values("pk")[: COUNT_TO + 1])


def counts(agent: Agent, **rows: QuerySet[Any]) -> dict[str, Count]:
    """All of them in one query."""
    found = Agent.objects.filter(pk=agent.pk).values_list(*map(Counted, rows.values())).get()
    return dict(zip(rows, map(Count, found), strict=True))


@dataclass(frozen=True)
class Loop:
    """The rows of an agent's loop, and the figures around them that a page shows."""

    agent: Agent
    rows: AgentRows
    calls: Count
    pending: Count
    decided: Count
    bases: int
    teacher: Teacher | None

    @property
    def passed(self) -> list[EvaluationRun]:
        return [run for run in self.rows.evaluations if run.verdict == Verdict.PASS]

    @property
    def requested(self) -> list[Rollout]:
        return [rollout for rollout in self.rows.rollouts if rollout.state == RolloutState.REQUESTED]


def read(agent: Agent) -> Loop:
    findings = Finding.objects.filter(workspace_id=agent.workspace_id)
    counted = counts(
        agent,
        calls=agent.spans.calls(),
        pending=findings.filter(decision=Decision.PENDING),
        decided=findings.filter(decision__in=[Decision.ACCEPTED, Decision.REJECTED]),
        bases=BaseModel.objects.all(),
    )
    return Loop(
        agent=agent,
        rows=lifecycle.read(agent),
        calls=counted["calls"],
        pending=counted["pending"],
        decided=counted["decided"],
        bases=counted["bases"].value,
        teacher=teacher_of(agent),
    )


def waiting(agent: Agent, *, failed_since: datetime) -> dict[str, Count]:
    """What somebody could see to; one query."""
    return counts(
        agent,
        pending=Finding.objects.filter(workspace_id=agent.workspace_id, decision=Decision.PENDING),
        found=agent.tasks.filter(state=TaskState.FOUND),
        failed=agent.jobs.filter(state=State.FAILED, finished_at__gt=failed_since),
        teachers=Teacher.objects.filter(agent=agent),
    )


@dataclass(frozen=True)
class Step:
    """One of the six steps as the home page shows it. `state` is done, now or todo."""

    code: str
    name: str
    value: str
    sub: str
    route: str
    of_agent: bool
    state: str


def steps(loop: Loop, *, now: str) -> list[Step]:
    """The paper's six steps with their figures; `now` is the code of the next step."""
    rows = loop.rows
    figures: list[tuple[str, str, Count | int, str, str]] = [
        ("S1", "Collect", loop.calls, "calls", "traces:list"),
        ("S2", "Redact", loop.pending, f"to review, {loop.decided} decided", "privacy:findings"),
        ("S3", "Find tasks", len(rows.accepted), f"accepted, {len(rows.found)} found", "discovery:list"),
        ("S4", "Choose a model", loop.bases, _teacher_words(loop.teacher), "registry:list"),
        ("S5", "Fine-tune", len(rows.specialists), f"specialists, {len(rows.runs)} runs", "training:list"),
        (
            "S6",
            "Prove and serve",
            len(rows.live),
            f"live, {len(loop.passed)} evaluations passed",
            "rollouts:list",
        ),
    ]
    return [
        Step(
            code,
            name,
            _figure(value),
            sub,
            route,
            route != "privacy:findings",
            _state(code, now, bool(value)),
        )
        for code, name, value, sub, route in figures
    ]


def _figure(value: Count | int) -> str:
    return str(value) if isinstance(value, Count) else f"{value:,}"


def _teacher_words(teacher: Teacher | None) -> str:
    return "models, no teacher set" if teacher is None else f"models, {teacher}"


def _state(code: str, now: str, has_rows: bool) -> str:
    if code == now:
        return "now"
    return "done" if has_rows or code < now else "todo"
