"""How a dataset is made of calls; stored with the version."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from apps.datasets.models import Split

# What the starter model reads: 2,048 tokens of one byte each, some of them kept for the answer's frame.
STARTER_LENGTH = 2000


@dataclass(frozen=True)
class Parameters:
    """`longest` counts characters of prompt and completion; what the shares leave is held out."""

    seed: int = 0
    train_share: float = 0.6
    validation_share: float = 0.1
    longest: int = STARTER_LENGTH
    most_calls: int = 20_000
    most_train: int = 2000
    most_validation: int = 300
    most_test: int = 600

    def most(self, split: Split) -> int:
        caps = {
            Split.TRAIN: self.most_train,
            Split.VALIDATION: self.most_validation,
            Split.TEST: self.most_test,
        }
        return caps[split]


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
