"""What the JSON columns of a dataset version hold."""

from __future__ import annotations

import msgspec

# What the starter model reads: 2,048 tokens of one byte each, some of them kept for the answer's frame.
STARTER_LENGTH = 2000


class Parameters(msgspec.Struct, frozen=True, kw_only=True):
    """How a dataset is made of calls.

    `longest` counts characters of prompt and completion; what the shares leave is held out.
    """

    seed: int = 0
    train_share: float = 0.6
    validation_share: float = 0.1
    longest: int = STARTER_LENGTH
    most_calls: int = 20_000
    most_train: int = 2000
    most_validation: int = 300
    most_test: int = 600

    def most(self, split: str) -> int:
        return {"train": self.most_train, "validation": self.most_validation, "test": self.most_test}[split]


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """Examples by split, then what they are made of; `calls` is what they were chosen from."""

    train: int = 0
    validation: int = 0
    test: int = 0
    sessions: int = 0
    other_prompts: int = 0
    tools: int = 0
    longest: int = 0
    calls: int = 0

    @property
    def usable(self) -> int:
        return self.train + self.validation + self.test


class Seen(msgspec.Struct, frozen=True):
    """How many of the held-out ones stand in training, too."""

    seen: int = 0
    of: int = 0


class FieldSeen(Seen, frozen=True):
    """The values of one field; a choice has few kinds, which recur."""

    choice: bool = False


class Overlap(msgspec.Struct, frozen=True, kw_only=True):
    """What held-out examples share with training: wording of prompts, values of open fields, choices."""

    wording: Seen = Seen()
    values: Seen = Seen()
    choices: Seen = Seen()
    fields: dict[str, FieldSeen] = {}
