"""Titles for people: what is usual is not said, and tool names read as words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from slmhub.formats.signature import RESPOND, START, TOOL, USER
from slmhub.ml.clustering.cells import JSON_PREFIX, OTHER_STEPS, TOOL_PREFIX, Cell

KEYS_SHOWN = 5


def readable(cells: Sequence[Cell], found: Sequence[str]) -> list[str]:
    """Short titles; a title as found (with argument names) stays where the short one would stand twice."""
    short = [_short(cell, title) for cell, title in zip(cells, found, strict=True)]
    times = Counter(short)
    return [one if times[one] == 1 else title for one, title in zip(short, found, strict=True)]


def _short(cell: Cell, found: str) -> str:
    _, colon, example = found.partition(": ")
    return f"{_said(cell) or found}{_after(cell)}{colon}{example}"


def _said(cell: Cell) -> str:
    if cell.action == RESPOND:
        return "Reply"
    if cell.action.startswith(TOOL_PREFIX):
        return _words(cell.action.removeprefix(TOOL_PREFIX)).capitalize()
    keys = cell.keys or tuple(cell.action.removeprefix(JSON_PREFIX).split(","))
    more = ", …" if len(keys) > KEYS_SHOWN else ""
    return f"Fill in {', '.join(map(_words, keys[:KEYS_SHOWN]))}{more}"


def _after(cell: Cell) -> str:
    if cell.previous in (USER, START, ""):
        return ""
    if cell.previous == cell.action:
        return ", once more"
    if cell.previous == OTHER_STEPS:
        return ", after other steps"
    return f", after {_words(cell.previous.removeprefix(f'{TOOL}:'))}"


def _words(name: str) -> str:
    return " ".join(name.replace("_", " ").replace("-", " ").split())
