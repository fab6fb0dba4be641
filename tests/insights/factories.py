"""Rows of an agent at each place of the loop, made directly."""

from __future__ import annotations

from datetime import datetime
from itertools import count
from typing import Any

from django.utils import timezone

from apps.accounts.models import User
from apps.accounts.rights import Right
from apps.datasets.models import DatasetVersion
from apps.discovery.models import DiscoveryRun, Task, TaskState
from apps.evaluation.models import EvaluationRun, Verdict
from apps.jobs.models import Job, State
from apps.registry.models import BaseModel, LicenceClass
from apps.rollouts.models import Rollout, RolloutState
from apps.traces.models import Audience, Span
from apps.training.models import Specialist, TrainingRun
from tests.world import World

_numbers = count(1)


def call(world: World, **fields: Any) -> Span:
    number = next(_numbers)
    values = {"trace_id": f"t{number}", "span_id": f"s{number}", "started_at": timezone.now(), **fields}
    return Span.objects.create(workspace=world.workspace, agent=world.agent, **values)


def job(world: World, state: State = State.SUCCEEDED, **fields: Any) -> Job:
    lease: datetime | None = timezone.now() if state == State.RUNNING else None
    values = {
        "title": "A job",
        "entry": "tests.none",
        "right": Right.BUILD,
        "state": state,
        "lease_until": lease,
        **fields,
    }
    return Job.objects.create(workspace=world.workspace, agent=world.agent, **values)


def discovery(world: World, state: State = State.SUCCEEDED) -> DiscoveryRun:
    return DiscoveryRun.objects.create(agent=world.agent, job=job(world, state))


def task(world: World, state: TaskState = TaskState.FOUND, **fields: Any) -> Task:
    number = next(_numbers)
    values = {"title": f"Task {number}", "size": 500, "audience": Audience.MACHINE, **fields}
    return Task.objects.create(agent=world.agent, cell=f"c{number}", state=state, **values)


def dataset(world: World, of: Task, *, state: State = State.SUCCEEDED, frozen: bool = True) -> DatasetVersion:
    number = DatasetVersion.objects.filter(task=of).count() + 1
    done = {"frozen_at": timezone.now(), "digest": "d" * 64} if frozen else {}
    return DatasetVersion.objects.create(
        agent=world.agent, task=of, number=number, job=job(world, state), **done
    )


def base_model() -> BaseModel:
    values = {"name": "Tiny", "family": "Test", "licence": "MIT", "licence_class": LicenceClass.PERMISSIVE}
    return BaseModel.objects.get_or_create(slug="tiny", defaults=values)[0]


def training(
    world: World, on: DatasetVersion, *, state: State = State.SUCCEEDED, error: str = ""
) -> TrainingRun:
    run = job(world, state, error=error)
    return TrainingRun.objects.create(agent=world.agent, dataset=on, base=base_model(), job=run)


def specialist(world: World, run: TrainingRun) -> Specialist:
    name = f"tiny-{run.pk}"
    values = {
        "task": run.dataset.task,
        "run": run,
        "base": run.base,
        "sha256": "a" * 64,
        "served_name": name,
        "path": name,
    }
    return Specialist.objects.create(agent=world.agent, **values)


def evaluation(
    world: World, of: Specialist, *, verdict: Verdict | None = Verdict.PASS, state: State = State.SUCCEEDED
) -> EvaluationRun:
    values = {"dataset": of.run.dataset, "specialist": of, "verdict": verdict or "", "job": job(world, state)}
    return EvaluationRun.objects.create(agent=world.agent, **values)


def rollout(world: World, of: EvaluationRun, state: RolloutState, by: User | None = None) -> Rollout:
    values = {"task": of.specialist.task, "specialist": of.specialist, "evaluation": of, "state": state}
    return Rollout.objects.create(
        agent=world.agent, requested_by=by or world.engineer, evidence_digest="e" * 64, **values
    )


def trained(world: World, of: Task) -> Specialist:
    return specialist(world, training(world, dataset(world, of)))
