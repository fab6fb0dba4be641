"""A second training method, proof that one takes a module and a place in METHODS: it trains all weights."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from msgspec import Meta

from slmhub.ml.methods.memory import ModelShape, training_memory
from slmhub.ml.methods.recipe import Recipe


class FullRecipe(Recipe, frozen=True, kw_only=True, tag="full"):
    frozen_layers: Annotated[int, Meta(ge=0, le=200, title="Frozen layers")] = 0


class Full:
    name = "full"
    label = "Full fine-tuning"
    recipe = FullRecipe

    def suggest(self, *, parameters: int | None, context: int | None) -> FullRecipe:
        return FullRecipe(learning_rate=1e-3, max_length=min(context or 4096, 4096))

    def memory_needed(self, shape: ModelShape, recipe: FullRecipe, *, tokens: int) -> int:
        batch_tokens = recipe.batch_size * min(tokens, recipe.max_length)
        return training_memory(shape, trained=shape.parameters, batch_tokens=batch_tokens)

    def prepare(self, base: Path, recipe: FullRecipe) -> Any:
        from slmhub.ml.basemodel import load_model

        model = load_model(base)
        for layer in model.model.layers[: recipe.frozen_layers]:
            layer.requires_grad_(False)
        return model

    def save(self, model: Any, folder: Path) -> None:
        model.save_pretrained(folder, safe_serialization=True)

    def load(self, base: Path, weights: Path) -> Any:
        from slmhub.ml.basemodel import load_model

        return load_model(weights)
