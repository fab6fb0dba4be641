"""The order of the loop: which step follows which."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from msgspec import to_builtins
from msgspec.structs import asdict

from apps.accounts.models import Agent, User
from apps.core.errors import HubError
from apps.datasets import services as datasets
from apps.discovery import services as discovery
from apps.discovery.models import Task, TaskState
from apps.discovery.selectors import calls_of, routable_keys
from apps.evaluation import services as evaluation
from apps.evaluation.models import EvaluationRun, Verdict
from apps.jobs.models import Job, State
from apps.registry.selectors import starter
from apps.rollouts import services as rollouts
from apps.rollouts.services import NotReadyError
from apps.traces.models import Audience, Span
from apps.training import services as training

# Fewer calls than this leave too few held-out rows for any gate.
FEWEST_CALLS = 200
Wait = Callable[[Job], Job]
Say = Callable[[str], None]


class StepFailedError(HubError):
    """A job of the loop did not succeed."""


def wait_for(job: Job) -> Job:
    """Waits until a worker has ended the job; raises when it did not succeed."""
    while not job.is_over:
        time.sleep(0.5)
        job.refresh_from_db()
    if job.state != State.SUCCEEDED:
        raise StepFailedError(f"{job.title}: {job.state}. {job.error}")
    return job


def convert(
    *, agent: Agent, actor: User, most_tasks: int = 3, wait: Wait = wait_for, say: Say = lambda text: None
) -> dict[str, Any]:
    """Runs the whole loop up to the requests for approval; returns the counts of each step."""
    calls = Span.objects.calls().filter(agent=agent).count()
    if not calls:
        raise HubError(
            f"{agent} has no calls yet.", hint="Upload traces first: manage.py import_traces FILE --agent …"
        )
    say("discovering tasks")
    run = discovery.start_run(agent=agent, actor=actor)
    wait(_job_of(run.job))
    candidates = worth_converting(agent)
    report: dict[str, Any] = {
        "agent": agent.slug,
        "calls": calls,
        "tasks": Task.objects.filter(agent=agent).count(),
        "candidates": len(candidates),
        "converted": [],
    }
    for task in candidates[:most_tasks]:
        say(f"converting: {task}")
        report["converted"].append(convert_task(task=task, actor=actor, wait=wait, say=say))
    return report


def worth_converting(agent: Agent) -> list[Task]:
    """Machine-facing tasks that the gateway can recognise and that have enough calls, the largest first."""
    open_states = [TaskState.FOUND, TaskState.ACCEPTED]
    tasks = Task.objects.filter(
        agent=agent, state__in=open_states, audience=Audience.MACHINE, size__gte=FEWEST_CALLS
    )
    return [task for task in tasks.order_by("-size", "pk") if routable_keys(task)]


def convert_task(
    *, task: Task, actor: User, wait: Wait = wait_for, say: Say = lambda text: None
) -> dict[str, Any]:
    """One task from label to request; a gate that does not pass ends it there, with what is missing."""
    if task.state == TaskState.FOUND:
        discovery.accept(task=task, actor=actor)
    dataset = datasets.build(task=task, actor=actor)
    wait(_job_of(dataset.job))
    dataset.refresh_from_db()
    say(f"training on {dataset.counts.train} examples")
    run = training.start(dataset=dataset, base=starter(), actor=actor)
    wait(_job_of(run.job))
    run.refresh_from_db()
    say("evaluating")
    measured = evaluation.start(specialist=run.specialist, actor=actor)
    wait(_job_of(measured.job))
    measured.refresh_from_db()
    return {
        "task": str(task),
        "calls": calls_of(task).count(),
        "dataset": {
            "version": dataset.number,
            "digest": dataset.digest,
            **asdict(dataset.counts),
            "overlap": to_builtins(dataset.overlap),
        },
        "specialist": run.specialist.served_name,
        "training_seconds": run.manifest.seconds,
        "evaluation": _shares(measured),
        "gate": to_builtins(measured.report.gate) or {},
        "rollout": _request_if_passed(measured, actor),
    }


def _shares(run: EvaluationRun) -> dict[str, float]:
    metrics = run.report.metrics
    return {name: metrics[name].match for name in ("base", "teacher", "specialist") if name in metrics}


def _request_if_passed(run: EvaluationRun, actor: User) -> int | None:
    if run.verdict != Verdict.PASS:
        return None
    try:
        return rollouts.request(evaluation=run, actor=actor, reason="Requested by manage.py convert").pk
    except NotReadyError:
        return None


def _job_of(job: Job | None) -> Job:
    if job is None:
        raise StepFailedError("The step has no job.")
    return job
