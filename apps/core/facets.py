"""The filters of a list: one declaration gives the form, what the address means, and the condition.

A list declares its facets once. `Filters` reads them from a request's parameters, narrows the rows and is
what `components/facets.html` draws. A wrong value counts as empty: a list never refuses an address.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from functools import cached_property
from typing import Any, ClassVar, TypeVar
from urllib.parse import urlencode

from django.db.models import QuerySet

Rows = TypeVar("Rows", bound="QuerySet[Any]")
Narrow = Callable[[Any, Any], Any]
# Values with their labels, or how to find them: asked only when they are needed.
Choices = Iterable[tuple[Any, Any]] | Callable[[], Iterable[tuple[Any, Any]]]


def as_is(rows: Rows, value: Any) -> Rows:
    """The condition of a facet that the list itself reads, such as its order."""
    return rows


@dataclass(frozen=True)
class Facet(ABC):
    """One filter of a list.

    `name` is its parameter in the address. The rows are those whose `column` (unless given: the one of that
    name) equals the value; `narrow` says any other condition. `default` holds when nothing is given. One that
    is not `offered` is reached by links: the form shows it only while it is set, as a chip to take away.
    """

    name: str
    label: str
    _: KW_ONLY
    column: str = ""
    narrow: Narrow | None = None
    default: str = ""
    offered: bool = True

    control: ClassVar[str]

    @abstractmethod
    def read(self, given: str) -> Any:
        """The value that a parameter means, None when it means none."""

    def condition(self, rows: Rows, value: Any) -> Rows:
        if self.narrow is not None:
            narrowed: Rows = self.narrow(rows, value)
            return narrowed
        return rows.filter(**{self.column or self.name: value})


@dataclass(frozen=True)
class Text(Facet):
    """Words to search for."""

    _: KW_ONLY
    longest: int = 200

    control = "search"

    def read(self, given: str) -> str | None:
        return _readable(given, self.longest)


@dataclass(frozen=True)
class Tick(Facet):
    """Only these, or all."""

    control = "checkbox"

    def read(self, given: str) -> bool | None:
        return True if given == "1" else None


@dataclass(frozen=True)
class Choice(Facet):
    """One of several values; `or_other` takes a value, too, that the list of them is too short to show."""

    choices: Choices
    _: KW_ONLY
    every: str = "All"
    or_other: bool = False

    control = "select"

    def read(self, given: str) -> str | None:
        if self.or_other:
            return _readable(given, 200)
        return given if given in dict(self.options) else None

    @cached_property
    def options(self) -> list[tuple[str, Any]]:
        found = self.choices() if callable(self.choices) else self.choices
        return [(str(value), label) for value, label in found]


def _readable(given: str, longest: int) -> str | None:
    # PostgreSQL stores no NUL and refuses to look for one.
    return given if len(given) <= longest and "\0" not in given else None


@dataclass(frozen=True)
class Field:
    """A facet as the form draws it. `without` is the address of the list when it is taken away."""

    facet: Facet
    value: Any
    without: str

    @property
    def options(self) -> list[tuple[str, Any, bool]]:
        """(value in the address, label, is it chosen); the first one stands for nothing given."""
        if not isinstance(self.facet, Choice):
            return []
        default, wanted = self.facet.default, self.value or self.facet.default
        drawn = [] if default else [("", self.facet.every, not wanted)]
        drawn += [
            ("" if value == default else value, label, value == wanted) for value, label in self.facet.options
        ]
        return drawn if any(chosen for *_, chosen in drawn) else [*drawn, (wanted, wanted, True)]

    @property
    def word(self) -> str:
        """The chosen value as people read it."""
        return next((str(label) for _, label, chosen in self.options if chosen), str(self.value))


class Filters:
    """What one address asks of a list. In a template `filters.NAME` is a facet's value or its default."""

    def __init__(self, facets: Sequence[Facet], given: Mapping[str, str]) -> None:
        self._facets = {facet.name: facet for facet in facets}
        self.chosen: dict[str, Any] = {}
        for facet in facets:
            text = given.get(facet.name, "").strip()
            value = facet.read(text) if text and text != facet.default else None
            if value is not None:
                self.chosen[facet.name] = value

    def __getitem__(self, name: str) -> Any:
        return self.chosen.get(name, self._facets[name].default)

    def __iter__(self) -> Iterator[Field]:
        for name, facet in self._facets.items():
            yield Field(facet, self.chosen.get(name), self._without(name))

    def narrow(self, rows: Rows) -> Rows:
        for name, facet in self._facets.items():
            if self[name]:
                rows = facet.condition(rows, self[name])
        return rows

    def _without(self, name: str) -> str:
        return f"?{urlencode({key: self._word(key) for key in self.chosen if key != name})}"

    def _word(self, name: str) -> str:
        value = self.chosen[name]
        return "1" if value is True else str(value)
