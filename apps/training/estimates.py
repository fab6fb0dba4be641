"""What a run would take, before it is launched."""

from __future__ import annotations

import math
from dataclasses import dataclass

from django.db.models import Max, Sum
from django.db.models.functions import Length

from apps.datasets.models import DatasetVersion, Split
from apps.registry import weights
from apps.registry.models import BaseModel
from apps.training.models import TrainingRun
from slmhub.ml.methods import method_of
from slmhub.ml.methods.memory import read_shape
from slmhub.ml.methods.recipe import Recipe

STARTUP_S = 15.0
# One core of a common server; a step takes about six operations a weight and token.
ASSUMED_FLOPS = 40e9
FLOPS_PER_WEIGHT = 6
UNKNOWN_PARAMETERS = 1_000_000_000


@dataclass(frozen=True)
class Estimate:
    """`tokens` of one pass over the training split; `basis` says where `tokens_per_s` comes from.

    `memory` is in bytes, None where the base's weights are not here or of an unusual kind.
    """

    seconds: float
    passes: float
    tokens: int
    tokens_per_s: float
    basis: str
    memory: int | None


def estimate(*, dataset: DatasetVersion, base: BaseModel, recipe: Recipe) -> Estimate:
    tokens = max(1, tokens_of(dataset, base))
    speed, basis = _speed(dataset, base)
    if recipe.max_seconds:
        passes = recipe.max_seconds * speed / tokens
    elif recipe.steps:
        examples = max(1, dataset.examples.filter(split=Split.TRAIN).count())
        passes = recipe.steps * recipe.batch_size / examples
    else:
        passes = recipe.epochs or 1.0
    return Estimate(
        seconds=STARTUP_S + passes * tokens / speed,
        passes=passes,
        tokens=tokens,
        tokens_per_s=speed,
        basis=basis,
        memory=_memory(dataset, base, recipe),
    )


def tokens_of(dataset: DatasetVersion, base: BaseModel) -> int:
    size = Sum(Length("prompt") + Length("completion"))
    characters = dataset.examples.filter(split=Split.TRAIN).aggregate(size=size)["size"] or 0
    return int(characters / base.bytes_per_token)


def _memory(dataset: DatasetVersion, base: BaseModel, recipe: Recipe) -> int | None:
    folder = weights.find(base)
    shape = read_shape(folder, parameters=base.parameters) if folder else None
    if shape is None:
        return None
    longest = Max(Length("prompt") + Length("completion"))
    characters = dataset.examples.filter(split=Split.TRAIN).aggregate(longest=longest)["longest"] or 0
    tokens = math.ceil(characters / base.bytes_per_token)
    return method_of(recipe).memory_needed(shape, recipe, tokens=tokens)


def _speed(dataset: DatasetVersion, base: BaseModel) -> tuple[float, str]:
    """Tokens per second of the workspace's last finished run of this base, else of a typical core."""
    runs = TrainingRun.objects.filter(agent__workspace_id=dataset.agent.workspace_id, base=base)
    last = runs.filter(specialist__isnull=False).order_by("-pk").first()
    measured = last.progress.tokens_per_s if last else None
    if last and measured:
        basis = f"run {last.pk} of this model trained {measured:,.0f} tokens/s on this machine"
        return float(measured), basis
    assumed = ASSUMED_FLOPS / (FLOPS_PER_WEIGHT * (base.parameters or UNKNOWN_PARAMETERS))
    return assumed, f"no run of this model yet; {assumed:,.0f} tokens/s assumed for one core"
