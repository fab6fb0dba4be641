"""LoRA: low-rank adapters beside the frozen weights of the base."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from msgspec import Meta

from slmhub.ml.methods.memory import ModelShape, training_memory
from slmhub.ml.methods.recipe import Recipe

# Far below this a model has hardly any knowledge that a high rate could destroy.
TINY = 20_000_000
LONGEST = 4096
# peft refuses LoRA on Mamba's out_proj; a MoE router returns a tuple that LoRA cannot wrap.
EXCLUDED_MODULES = {
    "nemotron_h": ["out_proj"],
    "falcon_h1": ["out_proj"],
    "mamba": ["out_proj"],
    "mamba2": ["out_proj"],
    "phimoe": ["router"],
}
# Inputs and outputs of a usual layer's linear modules, in widths: four of attention, three of a gated MLP.
WIDTHS_PER_LAYER = 20


class LoraRecipe(Recipe, frozen=True, kw_only=True, tag="lora"):
    rank: Annotated[
        int,
        Meta(ge=1, le=512, title="Rank", description="Of the adapter; 32 for tiny models, 16 for others."),
    ] = 32
    alpha: Annotated[int, Meta(ge=1, le=2048, title="Alpha", description="Its scale; twice the rank.")] = 64


class Lora:
    name = "lora"
    label = "LoRA"
    recipe = LoraRecipe

    def suggest(self, *, parameters: int | None, context: int | None) -> LoraRecipe:
        is_tiny = parameters is not None and parameters < TINY
        return LoraRecipe(
            rank=32 if is_tiny else 16,
            alpha=64 if is_tiny else 32,
            learning_rate=5e-3 if is_tiny else 2e-4,
            batch_size=16 if is_tiny else 4,
            augment_copies=0.9 if is_tiny else 0.0,
            max_length=min(context or LONGEST, LONGEST),
        )

    def memory_needed(self, shape: ModelShape, recipe: LoraRecipe, *, tokens: int) -> int:
        trained = recipe.rank * WIDTHS_PER_LAYER * shape.width * shape.layers
        batch_tokens = recipe.batch_size * min(tokens, recipe.max_length)
        return training_memory(shape, trained=trained, batch_tokens=batch_tokens)

    def prepare(self, base: Path, recipe: LoraRecipe) -> Any:
        import peft

        from slmhub.ml.basemodel import load_model

        model = load_model(base)
        adapter = peft.LoraConfig(
            r=recipe.rank,
            lora_alpha=recipe.alpha,
            target_modules="all-linear",
            exclude_modules=EXCLUDED_MODULES.get(model.config.model_type),
            task_type="CAUSAL_LM",
        )
        return peft.get_peft_model(model, adapter)

    def save(self, model: Any, folder: Path) -> None:
        model.save_pretrained(folder, safe_serialization=True)
        # A model card to be filled in, which nobody will.
        (folder / "README.md").unlink(missing_ok=True)

    def load(self, base: Path, weights: Path) -> Any:
        """With the adapter merged in, which costs nothing at serving."""
        import peft

        from slmhub.ml.basemodel import load_model

        adapted = peft.PeftModel.from_pretrained(load_model(base), str(weights), use_safetensors=True)
        return adapted.merge_and_unload()
