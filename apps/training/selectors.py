"""Reading training runs: their lists, curves and what may be done with them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet

from apps.accounts.models import Agent
from apps.datasets.models import DatasetVersion, Split
from apps.jobs.models import JobLine, State
from apps.registry.models import BaseModel
from apps.training import recipes
from apps.training.estimates import Estimate, estimate
from apps.training.models import ProgressPoint, Specialist, TrainingRun
from slmhub.ml.evaluation import rows_needed
from slmhub.ml.methods import DEFAULT, METHODS
from slmhub.ml.methods.recipe import Recipe, fields_of

POINTS_SHOWN = 500
LOG_LINES = 60
# Before anything is measured: the two models disagree on one call in twenty.
ASSUMED_DISCORDANCE = 0.05
COMMON_MARGIN = 0.05


def runs_of(agent: Agent) -> QuerySet[TrainingRun]:
    related = ("dataset__task", "base", "job", "started_by", "specialist")
    return agent.training_runs.select_related(*related)


def specialist_of(run: TrainingRun) -> Specialist | None:
    return Specialist.objects.filter(run=run).first()


def log_of(run: TrainingRun) -> list[JobLine]:
    newest = JobLine.objects.filter(job=run.job_id).order_by("-pk")[:LOG_LINES] if run.job_id else []
    return list(newest)[::-1]


@dataclass(frozen=True)
class Status:
    """What the page says about a run now."""

    state: State
    label: str
    is_waiting: bool
    is_over: bool
    step: int
    total: int
    eta_s: float | None
    loss: float | None
    validation_loss: float | None
    validation_exact: float | None
    tokens_per_s: float | None
    seconds: float | None


def status_of(run: TrainingRun) -> Status:
    state = State(run.job.state) if run.job else State.FAILED
    now = run.progress
    made = run.manifest if run.manifest.sha256 else None
    return Status(
        state=state,
        label=state.label,
        is_waiting=state == State.QUEUED,
        is_over=run.job is None or run.job.is_over,
        step=now.step,
        total=now.total_steps,
        eta_s=now.eta_s if state == State.RUNNING else None,
        loss=made.final_loss if made else now.loss,
        validation_loss=made.validation_loss if made else now.eval_loss,
        validation_exact=made.validation_exact if made else now.eval_exact,
        tokens_per_s=now.tokens_per_s,
        seconds=made.seconds if made else now.elapsed_s,
    )


def loss_figure(run: TrainingRun) -> dict[str, Any]:
    """A plotly figure of training and validation loss; long curves are thinned evenly."""
    points = list(ProgressPoint.objects.filter(run=run).order_by("step"))
    train = thinned([point for point in points if point.loss is not None])
    held = [point for point in points if point.eval_loss is not None]
    return {
        "data": [
            {
                "x": [point.step for point in train],
                "y": [point.loss for point in train],
                "name": "training",
                "mode": "lines",
            },
            {
                "x": [point.step for point in held],
                "y": [point.eval_loss for point in held],
                "name": "validation",
                "mode": "lines+markers",
            },
        ],
        "layout": {
            "xaxis": {"title": {"text": "step"}, "rangemode": "tozero"},
            "yaxis": {"title": {"text": "loss"}, "rangemode": "tozero"},
        },
    }


def thinned(points: list[ProgressPoint]) -> list[ProgressPoint]:
    stride = -(-len(points) // POINTS_SHOWN) or 1
    return points[:-1:stride] + points[-1:] if points else []


def split_counts(dataset: DatasetVersion) -> dict[str, int]:
    return {split.value: dataset.examples.filter(split=split).count() for split in Split}


def gate_rows() -> int:
    """Held-out rows that a gate at the common margin usually needs."""
    return rows_needed(margin=COMMON_MARGIN, discordance=ASSUMED_DISCORDANCE)


def estimates(
    dataset: DatasetVersion, base: BaseModel, method: str = DEFAULT
) -> list[tuple[recipes.Preset, Estimate]]:
    return [
        (preset, estimate(dataset=dataset, base=base, recipe=recipes.recipe(base, preset, method=method)))
        for preset in recipes.Preset
    ]


def recipe_facts(run: TrainingRun) -> list[tuple[str, str]]:
    """The numbers of a run's recipe that people are offered, in words; also of a method that is gone."""
    method = METHODS.get(run.recipe.get("method", DEFAULT))
    facts = []
    for field in fields_of(method.recipe if method else Recipe).values():
        value = run.recipe.get(field.name)
        # How long it trains has a line of its own.
        if field.title and value is not None and field.name != "epochs":
            share = field.unit.startswith("%")
            shown = f"{100 * value:.0f}" if share else f"{value}"
            facts.append((field.title, f"{shown} {field.unit}".strip()))
    return facts
