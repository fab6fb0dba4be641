"""How long a run trains: presets, and the recipe that a base, a method and a person's changes make."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db import models

from apps.registry.models import BaseModel
from slmhub.ml.methods import DEFAULT, METHODS
from slmhub.ml.methods.recipe import LENGTHS, Recipe, as_json
from slmhub.ml.training.spec import read_recipe


class Preset(models.TextChoices):
    QUICK = "quick", "Quick: 360 steps"
    THOROUGH = "thorough", "Thorough: 800 steps"


# Steps and not seconds: a busy machine takes longer, it does not learn less.
STEPS = {Preset.QUICK: 360, Preset.THOROUGH: 800}


def recipe(
    base: BaseModel,
    preset: Preset = Preset.QUICK,
    changes: Mapping[str, Any] | None = None,
    *,
    method: str = DEFAULT,
) -> Recipe:
    """What the method suggests for the base; of `changes` those that are not None win."""
    suggested = METHODS[method].suggest(parameters=base.parameters, context=base.context)
    changed = {name: value for name, value in (changes or {}).items() if value is not None}
    length = {} if changed.keys() & set(LENGTHS) else {"steps": STEPS[preset]}
    return read_recipe({**as_json(suggested), **length, **changed})
