"""Rows that lead up to a rollout, made directly: what discovery, training and evaluation would have left."""

from __future__ import annotations

from typing import Any

from django.utils import timezone

from apps.datasets.columns import Counts, Overlap, Seen
from apps.datasets.models import DatasetVersion
from apps.discovery.columns import KeyUse
from apps.discovery.models import Task, TaskState
from apps.evaluation.models import EvaluationRun, Verdict
from apps.evaluation.report import RunReport
from apps.registry.models import BaseModel, LicenceClass
from apps.training.models import Specialist, TrainingRun
from slmhub.ml.evaluation import Gate, SystemMetrics
from slmhub.ml.evaluation import Verdict as GateVerdict
from tests.world import World


def _metrics(match: float) -> SystemMetrics:
    return SystemMetrics(n=200, answered=200, exact=match, match=match, valid=1.0)


REPORT = RunReport(
    n=200,
    gate=Gate(
        verdict=GateVerdict.PASS,
        z=2.5,
        n=200,
        b=1,
        c=2,
        margin=0.05,
        difference=-0.005,
        lower_bound=-0.03,
        upper_bound=0.02,
        rows_needed=200,
        tango_lower_bound=-0.03,
        bootstrap_lower_bound=-0.02,
        sessions=200,
        discordance=0.015,
    ),
    metrics={"specialist": _metrics(0.965), "teacher": _metrics(0.97), "base": _metrics(1e-05)},
)


def task(
    world: World, *, key: str = "a" * 32, calls: int = 100, of: int = 100, action: str = "tool:lookup"
) -> Task:
    return Task.objects.create(
        agent=world.agent,
        state=TaskState.ACCEPTED,
        cell=key,
        title="Look up an order",
        action=action,
        size=calls,
        routing_keys={key: KeyUse(calls, of)},
    )


def base(licence_class: LicenceClass = LicenceClass.PERMISSIVE) -> BaseModel:
    row, _ = BaseModel.objects.get_or_create(
        slug=f"tiny-{licence_class}",
        defaults={
            "name": "Tiny",
            "family": "Starter",
            "licence": "Apache-2.0",
            "licence_class": licence_class,
        },
    )
    return row


def evaluation(world: World, of_task: Task, *, verdict: str = Verdict.PASS, **fields: Any) -> EvaluationRun:
    """A finished evaluation of a new specialist of the task."""
    model = fields.pop("base", None) or base()
    number = DatasetVersion.objects.filter(task=of_task).count() + 1
    dataset = DatasetVersion.objects.create(
        agent=world.agent,
        task=of_task,
        number=number,
        digest=f"{number:064x}",
        frozen_at=timezone.now(),
        counts=Counts(train=300, test=200),
        overlap=Overlap(wording=Seen(180, 200), values=Seen(0, 200)),
    )
    run = TrainingRun.objects.create(agent=world.agent, dataset=dataset, base=model)
    specialist = Specialist.objects.create(
        agent=world.agent,
        task=of_task,
        run=run,
        base=model,
        sha256=f"{run.pk:064x}",
        served_name=f"specialist-{run.pk}@{run.pk:012x}",
        path="/nowhere",
        size=1000,
    )
    return EvaluationRun.objects.create(
        agent=world.agent, specialist=specialist, dataset=dataset, verdict=verdict, report=REPORT, **fields
    )
