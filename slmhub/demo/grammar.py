"""Wordings: sentences with slots, written by the generator and read back by the teacher."""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

Slots = dict[str, Any]

# A redacted value stands in the text as [EMAIL_12] or <PERSON_3>; the teacher copies it like any other.
_SURROGATE = r"[\[<][A-Z][A-Z_]*_\d+[\]>]"
SHAPES = {
    "order": r"\b[A-Z]{2,3}-\d{4,5}\b",
    "name": r"[A-Z][a-z]+ [A-Z][a-z]+",
    "city": r"[A-Z][a-z]+",
    "amount": r"\d+\.\d{2}",
    "date": r"\d{4}-\d{2}-\d{2}",
}
_SLOT = re.compile(r"\{(\w+)\}")


def _clause_pattern(clause: str) -> re.Pattern[str]:
    pieces = _SLOT.split(clause)
    literal_and_slot = (
        f"(?P<{piece}>{SHAPES[piece]}|{_SURROGATE})" if position % 2 else re.escape(piece)
        for position, piece in enumerate(pieces)
    )
    return re.compile("".join(literal_and_slot))


@dataclass(frozen=True)
class Wording:
    """Clauses of one way to say a thing; `labels` are the slots that the wording itself decides."""

    clauses: tuple[str, ...]
    labels: Slots = field(default_factory=dict)
    joiner: str = " "
    ordered: bool = False

    def render(self, rng: random.Random, slots: Slots, extras: Sequence[str] = ()) -> str:
        """The text; `extras` are whole sentences mixed in between the clauses."""
        units = [clause.format(**slots) for clause in self.clauses]
        if not self.ordered:
            rng.shuffle(units)
        if self.joiner != " ":
            units = [self.joiner.join(units) + "."]
        for extra in extras:
            units.insert(rng.randint(0, len(units)), extra)
        return " ".join(units)

    def read(self, text: str) -> Slots | None:
        """The slots, when every clause stands in `text`."""
        found: Slots = dict(self.labels)
        for pattern in self._patterns:
            match = pattern.search(text)
            if match is None:
                return None
            found.update(match.groupdict())
        return found

    def fits(self, slots: Slots) -> bool:
        """Whether it says what `slots` say: same labels, and a value for each of its slots."""
        return self.labels.items() <= slots.items() and all(slots.get(name) for name in self._slot_names)

    @cached_property
    def _slot_names(self) -> tuple[str, ...]:
        return tuple(name for clause in self.clauses for name in _SLOT.findall(clause))

    @cached_property
    def literal_length(self) -> int:
        return sum(len(_SLOT.sub("", clause)) for clause in self.clauses)

    @cached_property
    def _patterns(self) -> tuple[re.Pattern[str], ...]:
        return tuple(_clause_pattern(clause) for clause in self.clauses)


def wording(*clauses: str, joiner: str = " ", ordered: bool = False, **labels: Any) -> Wording:
    return Wording(clauses, labels, joiner, ordered)


def read_text(text: str, wordings: Iterable[Wording]) -> Slots | None:
    """The slots of the most specific wording that `text` was written with."""
    for candidate in sorted(wordings, key=lambda w: -w.literal_length):
        slots = candidate.read(text)
        if slots is not None:
            return slots
    return None


def read_shapes(text: str, wanted: Iterable[str]) -> Slots | None:
    """Values found by their shape alone; None when one is missing or a shape is too vague to trust."""
    slots: Slots = {}
    for slot in wanted:
        match = re.search(SHAPES[slot], text) if slot in {"order", "amount", "date"} else None
        if match is None:
            return None
        slots[slot] = match.group()
    return slots
