"""What a run would take, before it is launched."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db.models import Sum
from django.db.models.functions import Length

from apps.datasets.models import DatasetVersion, Split
from apps.registry.models import BaseModel
from apps.training.models import TrainingRun

STARTUP_S = 15.0
# One core of a common server; a step takes about six operations a weight and token.
ASSUMED_FLOPS = 40e9
FLOPS_PER_WEIGHT = 6
UNKNOWN_PARAMETERS = 1_000_000_000


@dataclass(frozen=True)
class Estimate:
    """`tokens` of one pass over the training split; `basis` says where `tokens_per_s` comes from."""

    seconds: float
    passes: float
    tokens: int
    tokens_per_s: float
    basis: str


def estimate(*, dataset: DatasetVersion, base: BaseModel, recipe: dict[str, Any]) -> Estimate:
    tokens = max(1, tokens_of(dataset, base))
    speed, basis = _speed(dataset, base)
    if recipe.get("max_seconds"):
        passes = recipe["max_seconds"] * speed / tokens
    elif recipe.get("steps"):
        examples = max(1, dataset.examples.filter(split=Split.TRAIN).count())
        passes = recipe["steps"] * recipe["batch_size"] / examples
    else:
        passes = recipe["epochs"]
    return Estimate(
        seconds=STARTUP_S + passes * tokens / speed,
        passes=passes,
        tokens=tokens,
        tokens_per_s=speed,
        basis=basis,
    )


def tokens_of(dataset: DatasetVersion, base: BaseModel) -> int:
    size = Sum(Length("prompt") + Length("completion"))
    characters = dataset.examples.filter(split=Split.TRAIN).aggregate(size=size)["size"] or 0
    return int(characters / base.bytes_per_token)


def _speed(dataset: DatasetVersion, base: BaseModel) -> tuple[float, str]:
    """Tokens per second of the workspace's last finished run of this base, else of a typical core."""
    runs = TrainingRun.objects.filter(agent__workspace_id=dataset.agent.workspace_id, base=base)
    last = runs.filter(specialist__isnull=False).order_by("-pk").first()
    measured = last.progress.get("tokens_per_s") if last else None
    if last and measured:
        return float(
            measured
        ), f"run {last.pk} of this model trained {measured:,.0f} tokens/s on this machine"
    assumed = ASSUMED_FLOPS / (FLOPS_PER_WEIGHT * (base.parameters or UNKNOWN_PARAMETERS))
    return assumed, f"no run of this model yet; {assumed:,.0f} tokens/s assumed for one core"
