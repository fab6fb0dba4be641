"""The recipe of a run: fields, bounds and words for people, once for the trainer, the form and the pages."""

from __future__ import annotations

from typing import Annotated, Any, NamedTuple, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Meta


class Recipe(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="method"):
    """What every method asks for; a method adds its own in a subclass tagged with its name.

    One of `epochs`, `steps` and `max_seconds` says for how long (default: 300 steps). `augment_copies` is the
    share of the examples whose copied values are swapped for random ones. A field with a title is offered to
    people; `extra` holds the unit that is shown behind its value.
    """

    epochs: (
        Annotated[float, Meta(ge=0.01, le=10_000, title="Passes", description="Or for so many passes.")]
        | None
    ) = None
    steps: Annotated[int, Meta(ge=1, le=10_000_000)] | None = None
    max_seconds: Annotated[float, Meta(ge=1, le=30 * 86_400)] | None = None
    learning_rate: Annotated[
        float,
        Meta(
            ge=1e-7,
            le=1.0,
            title="Learning rate",
            description="0.005 for tiny models, 0.0002 for others.",
        ),
    ] = 5e-3
    batch_size: Annotated[int, Meta(ge=1, le=1024, title="Batch size", extra={"unit": "examples"})] = 16
    augment_copies: Annotated[
        float,
        Meta(
            ge=0.0,
            le=1.0,
            title="Swapped values",
            description="Share of examples whose copied values become random ones: copying is learnt.",
            extra={"unit": "% of examples"},
        ),
    ] = 0.9
    seed: Annotated[int, Meta(ge=0, le=2**32 - 1, title="Seed")] = 0
    max_length: Annotated[int, Meta(ge=16, le=1_000_000)] = 2048
    eval_every: Annotated[int, Meta(ge=1, le=1_000_000)] = 60
    save_every: Annotated[int, Meta(ge=1, le=1_000_000)] = 60


LENGTHS = ("epochs", "steps", "max_seconds")


class RecipeField(NamedTuple):
    """A number of a recipe: what may stand in it, and how people are asked for it."""

    name: str
    kind: type[int] | type[float]
    least: float
    most: float
    title: str
    description: str
    unit: str


def fields_of(recipe: type[Recipe]) -> dict[str, RecipeField]:
    """The fields that all methods share, then the recipe's own."""
    found = {}
    for name, hint in get_type_hints(recipe, include_extras=True).items():
        # `Annotated[int, …]`, or the same beside None.
        number = next(part for part in (hint, *get_args(hint)) if get_origin(part) is Annotated)
        kind, meta = get_args(number)
        unit = (meta.extra or {}).get("unit", "")
        title, description = meta.title or "", meta.description or ""
        found[name] = RecipeField(name, kind, meta.ge, meta.le, title, description, unit)
    return found


def as_json(recipe: Recipe) -> dict[str, Any]:
    """The recipe as it stands in a SPEC, without what is left open."""
    fields: dict[str, Any] = msgspec.to_builtins(recipe)
    return {name: value for name, value in fields.items() if value is not None}
