"""What an app declares to tell something: a typed fact, with its sentence, tone and address in one place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any, ClassVar, Self

import msgspec
from django.urls import reverse

from apps.accounts.models import Agent, Workspace


class Tone(StrEnum):
    PLAIN = ""
    OK = "ok"
    WARN = "warn"
    BAD = "bad"


@dataclass(frozen=True)
class Page:
    """Where a fact leads: a page of its agent, or of the workspace, and the field that holds the row's id."""

    route: str
    field: str = ""
    of_agent: bool = True

    def address(self, fact: Fact, workspace: Workspace, agent: Agent | None) -> str:
        """Empty where the page stands under an agent that is gone."""
        arguments: list[Any] = [workspace.slug]
        if self.of_agent:
            if agent is None:
                return ""
            arguments.append(agent.slug)
        if self.field:
            arguments.append(getattr(fact, self.field))
        return reverse(self.route, args=arguments)


class Fact(msgspec.Struct):
    """Something that happened: ids, names and figures, no HTML.

    A subclass with a `type` is a kind of event; that it is imported, from its app's `events` module, declares
    it. Its fields are the stored `data`, so a field that comes later needs a default, for the rows of before.
    The sentence reads: `who` `verb` `what` · `detail`. All of it is plain text, the template escapes it.
    """

    type: ClassVar[str]
    verb: ClassVar[str]
    tone: ClassVar[Tone] = Tone.PLAIN
    page: ClassVar[Page | None] = None
    # What only moves a live page along, like progress, is left out of the audit view.
    audited: ClassVar[bool] = True
    # Facts that would flood the log: those of one such period (of the clock, in UTC), agent and actor are one
    # row, where they differ in nothing but the figures in `adds`, which add up.
    coalesce: ClassVar[timedelta | None] = None
    adds: ClassVar[tuple[str, ...]] = ()

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if "type" in vars(cls):
            _declare(cls)

    def who(self) -> str:
        """Who did it, where that is another than the actor."""
        return ""

    def what(self) -> str:
        return ""

    def detail(self) -> str:
        """What else is worth a line: a role, a verdict, a note."""
        return ""

    def joined(self, earlier: Self) -> Self | None:
        """Both as one fact, their figures added up; None where they differ in more."""
        figures = {name: _sum(getattr(earlier, name), getattr(self, name)) for name in self.adds}
        whole = msgspec.structs.replace(self, **figures)
        return whole if whole == msgspec.structs.replace(earlier, **figures) else None

    def data(self) -> dict[str, Any]:
        """As it is stored and sent; fields that are `UNSET` are absent."""
        data: dict[str, Any] = msgspec.to_builtins(self)
        return data

    @classmethod
    def read(cls, data: object) -> Self:
        """The fact behind a stored row. Raises `msgspec.ValidationError` for a row of another shape."""
        return msgspec.convert(data, cls)


def _sum(*figures: int | msgspec.UnsetType) -> int | msgspec.UnsetType:
    known = [figure for figure in figures if figure is not msgspec.UNSET]
    return sum(known) if known else msgspec.UNSET


_declared: dict[str, type[Fact]] = {}


def _declare(kind: type[Fact]) -> None:
    known = _declared.setdefault(kind.type, kind)
    if known is not kind:
        raise TypeError(f"{kind.type!r} is declared twice: {known.__module__} and {kind.__module__}")


def declared() -> Mapping[str, type[Fact]]:
    """Every kind of event of the installed apps, by its type."""
    return _declared
