"""How much memory a run takes, from the numbers in a base's configuration."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec

FLOAT = 4
# Python, torch and the libraries, before any weight is loaded.
RUNTIME = 500 * 2**20
# A trained weight has itself, its gradient and the two moments of Adam.
TRAINED = 4 * FLOAT
# Values that a layer keeps for the backward pass, for each token and unit of its width (Korthikanti et al.
# 2022, without the attention matrix, which is computed anew).
KEPT_PER_UNIT = 34
# A token's scores over the vocabulary: as they are, as probabilities, and their gradient.
SCORES = 3


class ModelShape(msgspec.Struct, frozen=True):
    """What decides how much memory a model takes."""

    parameters: int
    width: int
    layers: int
    vocabulary: int


def read_shape(folder: Path, *, parameters: int | None) -> ModelShape | None:
    """From `config.json`; None where the configuration does not say it in the usual words."""
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        numbers = [config[name] for name in ("hidden_size", "num_hidden_layers", "vocab_size")]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    known = parameters is not None and all(isinstance(number, int) for number in numbers)
    return ModelShape(parameters or 0, *numbers) if known else None


def training_memory(shape: ModelShape, *, trained: int, batch_tokens: int) -> int:
    """Bytes for a run that trains so many weights on batches of so many tokens, all in float32."""
    kept = batch_tokens * shape.layers * shape.width * KEPT_PER_UNIT * FLOAT
    scores = batch_tokens * shape.vocabulary * SCORES * FLOAT
    return RUNTIME + shape.parameters * FLOAT + trained * TRAINED + kept + scores
