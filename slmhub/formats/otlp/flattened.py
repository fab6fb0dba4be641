"""Lists that an emitter flattened to numbered attributes: `<list>.<index>.<field>`, and one list within."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from slmhub.formats.otlp.values import Taken

_LONGEST_KEY = 160
_MOST_KEYS = 16_384
_INDEX = re.compile(r"\.(\d{1,9})(?:\.|$)", re.ASCII)

# Of each list the fields of its items under "", those of a list within an item under that list's name.
Shape = Mapping[str, Mapping[str, frozenset[str]]]
Path = tuple[Any, ...]


class Items(dict[int, dict[str, Any]]):
    """The items of one list by index; a field is a value, or the Items of a list within."""

    def in_order(self) -> list[dict[str, Any]]:
        return [self[index] for index in sorted(self)]

    def has_gaps(self) -> bool:
        return bool(self) and max(self) != len(self) - 1


class Unflattener:
    """Reads the lists of one convention. What its shape does not name stays raw."""

    def __init__(self, shape: Shape) -> None:
        self._names = tuple(shape)
        # The keys of one emitter repeat from span to span: each is split once.
        self._path_of = lru_cache(maxsize=_MOST_KEYS)(lambda key: _path_of(key, shape))

    def lists_of(self, taken: Taken) -> dict[str, Items]:
        """Every list of the shape by its name; empty where the span has none."""
        lists = {name: Items() for name in self._names}
        path_of, keys = self._path_of, taken.keys
        for key, value in taken.given.items():
            path = path_of(key) if len(key) <= _LONGEST_KEY else None
            if path is None:
                continue
            keys.add(key)
            items = lists[path[0]]
            fields = items.get(path[1])
            if fields is None:
                fields = items[path[1]] = {}
            if len(path) == 3:
                fields[path[2]] = value
            else:
                fields.setdefault(path[2], Items()).setdefault(path[3], {})[path[4]] = value
        return lists


def _path_of(key: str, shape: Shape) -> Path | None:
    """("llm.tools", 0, "tool.json_schema") of "llm.tools.0.tool.json_schema"; None of what is in no list."""
    pieces = _INDEX.split(key)
    fields = shape.get(pieces[0])
    if fields is None or len(pieces) not in (3, 5):
        return None
    if pieces[-1] not in fields.get("" if len(pieces) == 3 else pieces[2], ()):
        return None
    return tuple(int(piece) if at % 2 else piece for at, piece in enumerate(pieces))
