"""Which split a session belongs to, the same in every build."""

from __future__ import annotations

import hashlib

from apps.datasets.columns import Parameters
from apps.datasets.models import Split


def share_of(text: str, seed: int) -> float:
    """A number in [0, 1) that is the same for a text in every build."""
    digest = hashlib.sha256(f"{seed}:{text}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def split_of(session: str, parameters: Parameters) -> Split:
    """By the session alone, so that a later version never tests on what an earlier one trained on."""
    share = share_of(session, parameters.seed)
    if share < parameters.train_share:
        return Split.TRAIN
    if share < parameters.train_share + parameters.validation_share:
        return Split.VALIDATION
    return Split.TEST
