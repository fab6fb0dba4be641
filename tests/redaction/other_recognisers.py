"""Other recognisers than the product's, and how a test puts them in its place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from slmhub.redaction import RECOGNISERS, Entity, Finding, Recogniser, RecogniserSet, Target
from slmhub.redaction.recognisers.recogniser import Text


@dataclass(eq=False)
class Words:
    """Finds one word, and counts how often it was asked and for which texts."""

    word: str
    name: str = "words"
    version: str = "1"
    asked: list[list[str]] = field(default_factory=list)

    @property
    def targets(self) -> Sequence[Target]:
        return [Target(f"word {self.word}", Entity.SECRET)]

    def find(self, texts: Sequence[Text]) -> list[Sequence[Finding]]:
        self.asked.append([one.text for one in texts])
        return [self._found(one.text) for one in texts]

    def _found(self, text: str) -> list[Finding]:
        start, length = text.find(self.word), len(self.word)
        return [Finding(start, start + length, "SECRET", 1.0, f"word {self.word}")] if start >= 0 else []


@dataclass(eq=False)
class Broken:
    """Fails where it reads a word; without one, whatever it is asked."""

    word: str = ""
    name: str = "broken"
    version: str = "1"
    targets: Sequence[Target] = ()

    def find(self, texts: Sequence[Text]) -> list[Sequence[Finding]]:
        if any(self.word in one.text for one in texts):
            raise RuntimeError("the recogniser failed")
        return [() for _ in texts]


def use(monkeypatch: pytest.MonkeyPatch, *recognisers: Recogniser) -> None:
    """From now on these are the recognisers, wherever somebody asks."""
    monkeypatch.setattr(RECOGNISERS, "__dict__", vars(RecogniserSet(recognisers)))
