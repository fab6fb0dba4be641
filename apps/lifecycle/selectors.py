"""Reading the loop of an agent: its rows in a handful of bounded queries, and what is worth converting."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeVar

from django.db.models import Model, Q, QuerySet
from msgspec import to_builtins

from apps.accounts.models import Agent
from apps.discovery.models import Task, TaskState
from apps.discovery.selectors import OPEN_STATES, calls_of, last_run, routable_keys
from apps.evaluation.models import EvaluationRun
from apps.jobs.models import Job
from apps.lifecycle.columns import Judgement
from apps.lifecycle.demo import LOAD_DEMO
from apps.lifecycle.models import Conversion, ConversionState, Step
from apps.lifecycle.order import AgentRows, place_of
from apps.traces.models import Audience

ROWS = 500
# Fewer calls than this leave too few held-out rows for any gate.
FEWEST_CALLS = 200

Row = TypeVar("Row", bound=Model)


def read(agent: Agent) -> AgentRows:
    """The newest `ROWS` rows of each kind."""
    tasks = agent.tasks.filter(state__in=OPEN_STATES).order_by("-size", "pk")
    conversions = agent.conversions.filter(state=ConversionState.OPEN).select_related("job", "task")
    runs = _newest(
        agent.training_runs.defer("progress", "manifest", "recipe").select_related("job", "specialist")
    )
    discovery = last_run(agent)
    return AgentRows(
        agent=agent,
        arriving=None if discovery else _newest_open_job(agent),
        discovery=discovery,
        tasks=list(tasks.only("state", "name", "title", "size", "audience", "agent_id")[:ROWS]),
        datasets=_newest(
            agent.dataset_versions.defer("static_prompt", "parameters", "left_out").select_related("job")
        ),
        runs=runs,
        specialists=sorted(
            (run.specialist for run in runs if hasattr(run, "specialist")), key=lambda made: -made.pk
        ),
        evaluations=_newest(agent.evaluation_runs.defer("report").select_related("job")),
        rollouts=_newest(agent.rollouts.defer("evidence").select_related("task", "requested_by")),
        conversions=list(conversions.order_by("-pk")),
    )


def _newest(rows: QuerySet[Row]) -> list[Row]:
    return list(rows.order_by("-pk")[:ROWS])


def _newest_open_job(agent: Agent) -> Job | None:
    return agent.jobs.open().select_related("workspace").order_by("-pk").first()


def arrivals(agent: Agent) -> QuerySet[Job]:
    """Open jobs that bring calls in: discovery on half of them would have to be done again."""
    return agent.jobs.open().filter(Q(upload__isnull=False) | Q(entry=LOAD_DEMO)).order_by("pk")


@dataclass(frozen=True)
class Candidate:
    """A task with whether it is worth converting now, and why (not), in words."""

    task: Task
    is_candidate: bool
    why: str

    @property
    def judgement(self) -> Judgement:
        return Judgement(task=str(self.task), calls=self.task.size, candidate=self.is_candidate, why=self.why)


def candidates(agent: Agent) -> list[Candidate]:
    """Every task of the agent, the largest first."""
    rows = read(agent)
    tasks = agent.tasks.select_related("merged_into", "agent__workspace").order_by("-size", "pk")
    return [Candidate(task, *_judged(task, rows)) for task in tasks]


def _judged(task: Task, rows: AgentRows) -> tuple[bool, str]:
    if task.state == TaskState.MERGED:
        return False, f"is part of “{task.merged_into}”"
    if task.state == TaskState.IGNORED:
        return False, "somebody ignored it"
    if task.audience != Audience.MACHINE:
        return False, "people read its answers, so that no program can say whether another one is as good"
    if task.size < FEWEST_CALLS:
        return False, f"has {task.size:,} calls; fewer than {FEWEST_CALLS} leave too few for the gate"
    if not routable_keys(task):
        return False, "the gateway cannot tell its calls from others before they are answered"
    of_task = rows.of_task(task)
    place = place_of(of_task)
    if place.step is Step.SERVE:
        return False, "a specialist answers it already"
    if place.step is Step.DECIDE:
        return False, "its rollout waits for an approver"
    if of_task.conversion is not None:
        return False, "is being converted already"
    if place.step is Step.REVISE:
        return True, "did not get through the last time; a new dataset is built of its calls"
    return True, f"a program reads its answers, and it has {task.size:,} calls"


def report_on(conversion: Conversion) -> dict[str, Any]:
    """What a drive of an agent has come to, as `manage.py convert` prints it."""
    agent = conversion.agent
    parts = conversion.parts.select_related("task__agent__workspace", "agent").order_by("pk")
    return {
        "agent": agent.slug,
        "calls": agent.spans.calls().count(),
        "tasks": len(conversion.judged),
        "candidates": to_builtins(conversion.judged),
        "converted": [_report_on_task(part, part.task) for part in parts if part.task],
    }


def _report_on_task(conversion: Conversion, task: Task) -> dict[str, Any]:
    rows = read(conversion.agent).of_task(task)
    dataset, run, rollout = rows.dataset, rows.run, rows.rollouts[0] if rows.rollouts else None
    report = {
        "task": str(task),
        "calls": calls_of(task).count(),
        "state": conversion.state,
        "step": conversion.step,
        "reason": conversion.reason,
    }
    if dataset is not None and dataset.is_frozen:
        report["dataset"] = {
            "version": dataset.number,
            "digest": dataset.digest,
            **to_builtins(dataset.counts),
            "overlap": to_builtins(dataset.overlap),
        }
    if rows.specialist is not None:
        report["specialist"] = rows.specialist.served_name
    if run is not None:
        report["training_seconds"] = run.manifest.seconds
    if rows.evaluation is not None:
        report["evaluation"] = _shares(rows.evaluation)
        report["gate"] = to_builtins(rows.evaluation.report.gate) or {}
        report["rollout"] = rollout.pk if rollout and rollout.evaluation_id == rows.evaluation.pk else None
    return report


def _shares(run: EvaluationRun) -> dict[str, float]:
    metrics = run.report.metrics
    return {name: metrics[name].match for name in ("base", "teacher", "specialist") if name in metrics}
