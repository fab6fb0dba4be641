"""The emitters of a batch: found or made, and how many of their spans came in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from django.db.models import F
from django.utils import timezone

from apps.accounts.models import Agent
from apps.contents.services import CHUNK
from apps.traces.models import Emitter, Source

_MOST_NAMES = 200
OTHERS = "others"


class Name(NamedTuple):
    """The convention that the spans follow, and what the program calls itself."""

    format: str
    name: str


class Emitters:
    """Of one agent and one way in. Ids are remembered: a run sees few emitters."""

    def __init__(self, agent: Agent, source: Source, hint: str) -> None:
        self.agent, self.source, self.hint = agent, source, hint
        self.known: dict[Name, Emitter] = {}

    def named(self, format: str, name: str) -> Name:
        return Name(format[:40], (name or self.hint)[:120])

    def learn(self, names: Iterable[Name]) -> dict[Name, Emitter]:
        """Emitters by name. An agent has so many names only when they hold an id: then the rest share one."""
        missing = {name for name in names if name not in self.known}
        if missing:
            self._read()
            fresh = [self._new(name) for name in sorted(missing) if name not in self.known]
            Emitter.objects.bulk_create(fresh, batch_size=CHUNK, ignore_conflicts=True)
            if fresh:
                self._read()
            for name in missing:
                self.known.setdefault(name, self.known.get(Name(name.format, OTHERS), self._any()))
        return self.known

    def count(self, name: Name, counts: Counter[str]) -> None:
        """`counts` by the names of the columns."""
        grown = {column: F(column) + number for column, number in counts.items() if number}
        if grown:
            Emitter.objects.filter(pk=self.known[name].pk).update(**grown, last_at=timezone.now())

    def forget(self) -> None:
        """What was made in a transaction that failed is not there."""
        self.known.clear()

    def _new(self, name: Name) -> Emitter:
        crowded = len(self.known) >= _MOST_NAMES
        return Emitter(
            agent=self.agent, source=self.source.value, format=name.format,
            name=OTHERS if crowded else name.name,
        )  # fmt: skip

    def _read(self) -> None:
        rows = Emitter.objects.filter(agent=self.agent, source=self.source)[: 10 * _MOST_NAMES]
        self.known |= {Name(row.format, row.name): row for row in rows}

    def _any(self) -> Emitter:
        return next(iter(self.known.values()))
