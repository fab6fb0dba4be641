"""How to fine-tune: presets, and the bounds of what a person may change."""

from __future__ import annotations

from typing import Any

from django.db import models

from apps.registry.models import BaseModel

# Far below this a model has hardly any knowledge that a high rate could destroy.
TINY = 20_000_000
LONGEST = 4096


class Preset(models.TextChoices):
    QUICK = "quick", "Quick: 360 steps"
    THOROUGH = "thorough", "Thorough: 800 steps"


# Steps and not seconds: a busy machine takes longer, it does not learn less.
LENGTHS: dict[Preset, dict[str, int]] = {
    Preset.QUICK: {"steps": 360},
    Preset.THOROUGH: {"steps": 800},
}


def recipe(
    base: BaseModel, preset: Preset = Preset.QUICK, changes: dict[str, Any] | None = None
) -> dict[str, Any]:
    """The complete recipe of the training library; of `changes` those that are not None win."""
    changed = {name: value for name, value in (changes or {}).items() if value is not None}
    length = {} if {"epochs", "max_seconds", "steps"} & changed.keys() else LENGTHS[preset]
    is_tiny = base.parameters is not None and base.parameters < TINY
    return {
        "method": "lora",
        "rank": 32 if is_tiny else 16,
        "alpha": 64 if is_tiny else 32,
        "learning_rate": 5e-3 if is_tiny else 2e-4,
        "batch_size": 16 if is_tiny else 4,
        "augment_copies": 0.9 if is_tiny else 0.0,
        "seed": 0,
        "max_length": min(base.context or LONGEST, LONGEST),
        **length,
        **changed,
    }
