"""Decodes many prompts together: left padding, KV cache, each row with its own end, limit and temperature.

Knows nothing of chat: prompts come in and completions go out as token ids.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import torch

COMPACT_BELOW = 0.5  # rows that have ended are dropped from the cache once fewer than this share is left


class FinishReason(StrEnum):
    STOP = "stop"
    LENGTH = "length"
    CANCELLED = "cancelled"


@dataclass(eq=False)
class Generation:
    """One prompt on its way. `ended` may end it after any token; `cancelled` may be set by any thread."""

    prompt: list[int]
    limit: int
    temperature: float = 0.0
    seed: int | None = None
    ended: Callable[[Generation], bool] | None = None
    ids: list[int] = field(default_factory=list)
    probabilities: list[float] = field(default_factory=list)
    finish: FinishReason | None = None
    cancelled: bool = False

    @property
    def confidence(self) -> float:
        """The probability of the least sure token, the end mark included."""
        return min(self.probabilities, default=0.0)

    @property
    def mean_confidence(self) -> float:
        return sum(self.probabilities) / len(self.probabilities) if self.probabilities else 0.0


@torch.inference_mode()
def generate(
    model: Any,
    rows: Sequence[Generation],
    *,
    end: int,
    pad: int,
    on_step: Callable[[], None] | None = None,
) -> None:
    """Fills in `ids`, `probabilities` and `finish` of all rows; calls `on_step` after each token."""
    active = list(rows)
    ids, mask = _left_padded(active, pad)
    generators = {id(row): _generator(row) for row in active if row.temperature > 0}
    positions = (mask.cumsum(-1) - 1).clamp(min=0)
    cache = None
    while True:
        out = model(
            input_ids=ids,
            attention_mask=mask,
            position_ids=positions,
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
        )
        cache = out.past_key_values
        chosen = _choose(out.logits[:, -1].float(), active, generators)
        _append(active, chosen, end=end)
        if on_step is not None:
            on_step()
        left = [at for at, row in enumerate(active) if row.finish is None]
        if not left:
            return
        if len(left) < COMPACT_BELOW * len(active):
            keep = torch.tensor(left, device=mask.device)
            cache.batch_select_indices(keep)
            active = [active[at] for at in left]
            mask, positions, chosen = mask[keep], positions[keep], chosen.index_select(1, keep)
        ids = chosen[0].long().unsqueeze(1)
        mask = torch.cat([mask, mask.new_ones(len(active), 1)], dim=1)
        positions = positions[:, -1:] + 1


def _left_padded(rows: Sequence[Generation], pad: int) -> tuple[torch.Tensor, torch.Tensor]:
    longest = max(len(row.prompt) for row in rows)
    gaps = [longest - len(row.prompt) for row in rows]
    ids = torch.tensor([[pad] * gap + row.prompt for row, gap in zip(rows, gaps, strict=True)])
    mask = torch.tensor([[0] * gap + [1] * len(row.prompt) for row, gap in zip(rows, gaps, strict=True)])
    return ids, mask


def _generator(row: Generation) -> torch.Generator:
    generator = torch.Generator()
    if row.seed is None:
        generator.seed()
    else:
        generator.manual_seed(row.seed)
    return generator


def _choose(
    logits: torch.Tensor, rows: Sequence[Generation], generators: dict[int, torch.Generator]
) -> torch.Tensor:
    """Token ids and their probabilities, [2, rows]; the most likely token, or a draw where a row is warm."""
    probabilities = logits.softmax(-1)
    best, tokens = probabilities.max(-1)
    for at, row in enumerate(rows):
        if row.temperature > 0:
            warm = (logits[at] / row.temperature).softmax(-1)
            tokens[at] = torch.multinomial(warm, 1, generator=generators[id(row)])
            best[at] = probabilities[at, tokens[at]]
    return torch.stack([tokens.double(), best.double()])


def _append(rows: Sequence[Generation], chosen: torch.Tensor, *, end: int) -> None:
    tokens, probabilities = chosen.tolist()
    for row, token, probability in zip(rows, tokens, probabilities, strict=True):
        if row.finish is None:
            row.probabilities.append(probability)
            row.finish = _advance(row, int(token), end)


def _advance(row: Generation, token: int, end: int) -> FinishReason | None:
    if row.cancelled:
        return FinishReason.CANCELLED
    if token == end:
        return FinishReason.STOP
    row.ids.append(token)
    if row.ended is not None and row.ended(row):
        return FinishReason.STOP
    return FinishReason.LENGTH if len(row.ids) >= row.limit else None
