"""How a base model is fine-tuned: each method a module, found by its name.

A method is a module with its recipe, and its place in METHODS; trainer, server, form and pages find it here.
Reading a method imports nothing heavy: only `prepare`, `save` and `load` do.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol, TypeVar

from slmhub.ml.methods.lora import Lora
from slmhub.ml.methods.memory import ModelShape
from slmhub.ml.methods.recipe import Recipe

R = TypeVar("R", bound=Recipe)


class Method(Protocol[R]):
    """One way to fine-tune. Its name stands in recipes and manifests, its label on pages."""

    name: str
    label: str
    recipe: type[R]

    def suggest(self, *, parameters: int | None, context: int | None) -> R:
        """The recipe for a base of this size, but for its length. None is an unknown size."""

    def memory_needed(self, shape: ModelShape, recipe: R, *, tokens: int) -> int:
        """About how many bytes a run takes whose longest example has so many tokens."""

    def prepare(self, base: Path, recipe: R) -> Any:
        """The base in `base` as a model whose weights to train ask for gradients."""

    def save(self, model: Any, folder: Path) -> None:
        """Writes what was trained to an empty `folder`, as safetensors."""

    def load(self, base: Path, weights: Path) -> Any:
        """The model to be served, from the base's folder and what `save` wrote."""


DEFAULT = Lora.name
METHODS: dict[str, Method[Any]] = {method.name: method for method in (Lora(),)}


def method_of(recipe: Recipe) -> Method[Any]:
    return METHODS[str(recipe.__struct_config__.tag)]
