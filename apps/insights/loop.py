"""One agent's way through the loop, read in a handful of bounded queries."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from django.db.models import IntegerField, Model, QuerySet, Subquery

from apps.accounts.models import Agent
from apps.datasets.models import DatasetVersion
from apps.discovery.models import DiscoveryRun, Task, TaskState
from apps.discovery.selectors import last_run
from apps.evaluation.models import EvaluationRun, Verdict
from apps.jobs.models import Job, State
from apps.privacy.models import Decision, Finding
from apps.registry.models import BaseModel, Teacher
from apps.registry.selectors import teacher_of
from apps.rollouts.models import Rollout, RolloutState
from apps.traces.models import Span
from apps.training.models import Specialist, TrainingRun

# Counting further would make the first page slow and tell nobody more.
COUNT_TO = 50_000
ROWS = 500

Row = TypeVar("Row", bound=Model)


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
    """The newest `ROWS` rows of each kind, newest first; tasks largest first; of jobs a few open ones."""

    agent: Agent
    calls: Count
    pending: Count
    decided: Count
    jobs: list[Job]
    discovery: DiscoveryRun | None
    tasks: list[Task]
    bases: int
    teacher: Teacher | None
    datasets: list[DatasetVersion]
    runs: list[TrainingRun]
    specialists: list[Specialist]
    evaluations: list[EvaluationRun]
    rollouts: list[Rollout]

    @property
    def found(self) -> list[Task]:
        return [task for task in self.tasks if task.state == TaskState.FOUND]

    @property
    def accepted(self) -> list[Task]:
        return [task for task in self.tasks if task.state == TaskState.ACCEPTED]

    @property
    def passed(self) -> list[EvaluationRun]:
        return [run for run in self.evaluations if run.verdict == Verdict.PASS]

    @property
    def live(self) -> list[Rollout]:
        return [rollout for rollout in self.rollouts if rollout.state == RolloutState.LIVE]

    @property
    def requested(self) -> list[Rollout]:
        return [rollout for rollout in self.rollouts if rollout.state == RolloutState.REQUESTED]


def read(agent: Agent) -> Loop:
    findings = Finding.objects.filter(workspace_id=agent.workspace_id)
    tasks = agent.tasks.filter(state__in=[TaskState.FOUND, TaskState.ACCEPTED]).order_by("-size", "pk")
    runs = _newest(
        agent.training_runs.defer("progress", "manifest", "recipe").select_related("job", "specialist")
    )
    counted = counts(
        agent,
        calls=Span.objects.calls().filter(agent=agent),
        pending=findings.filter(decision=Decision.PENDING),
        decided=findings.filter(decision__in=[Decision.ACCEPTED, Decision.REJECTED]),
        bases=BaseModel.objects.all(),
    )
    return Loop(
        agent=agent,
        calls=counted["calls"],
        pending=counted["pending"],
        decided=counted["decided"],
        jobs=list(agent.jobs.open().select_related("workspace").order_by("-pk")[:5]),
        discovery=last_run(agent),
        tasks=list(tasks.only("state", "name", "title", "size", "audience", "agent_id")[:ROWS]),
        bases=counted["bases"].value,
        teacher=teacher_of(agent),
        datasets=_newest(
            agent.dataset_versions.defer("static_prompt", "parameters", "left_out").select_related("job")
        ),
        runs=runs,
        specialists=sorted(
            (run.specialist for run in runs if hasattr(run, "specialist")), key=lambda made: -made.pk
        ),
        evaluations=_newest(agent.evaluation_runs.defer("report").select_related("job")),
        rollouts=_newest(agent.rollouts.defer("evidence").select_related("task", "requested_by")),
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


def _newest(rows: QuerySet[Row]) -> list[Row]:
    return list(rows.order_by("-pk")[:ROWS])


def is_open(job: Job | None) -> bool:
    """Still queued or running."""
    return job is not None and not job.is_over


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
    rows: list[tuple[str, str, Count | int, str, str]] = [
        ("S1", "Collect", loop.calls, "calls", "traces:list"),
        ("S2", "Redact", loop.pending, f"to review, {loop.decided} decided", "privacy:findings"),
        ("S3", "Find tasks", len(loop.accepted), f"accepted, {len(loop.found)} found", "discovery:list"),
        ("S4", "Choose a model", loop.bases, _teacher_words(loop.teacher), "registry:list"),
        ("S5", "Fine-tune", len(loop.specialists), f"specialists, {len(loop.runs)} runs", "training:list"),
        (
            "S6",
            "Prove and serve",
            len(loop.live),
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
        for code, name, value, sub, route in rows
    ]


def _figure(value: Count | int) -> str:
    return str(value) if isinstance(value, Count) else f"{value:,}"


def _teacher_words(teacher: Teacher | None) -> str:
    return "models, no teacher set" if teacher is None else f"models, {teacher}"


def _state(code: str, now: str, has_rows: bool) -> str:
    if code == now:
        return "now"
    return "done" if has_rows or code < now else "todo"
