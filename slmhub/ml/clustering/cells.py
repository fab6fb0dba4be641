"""The exact kind of a call: prompt template, tools offered, what came before, what it did.

Light enough for the web process. A cell key is `template|toolset|previous|action(key,key)`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import xxhash

from slmhub.formats import signature

OTHER_STEPS = "*"
TOOL_PREFIX, JSON_PREFIX = "tool:", "json:"


@dataclass(frozen=True)
class Cell:
    """`action` as slmhub.formats.signature.action_of gives it; `previous` may be OTHER_STEPS."""

    template: str
    toolset: str
    previous: str
    action: str
    keys: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        return f"{self.template}|{self.toolset}|{self.previous}|{self.action}({','.join(self.keys)})"

    @property
    def is_structured(self) -> bool:
        return self.action.startswith((TOOL_PREFIX, JSON_PREFIX))

    def after_other_steps(self) -> Cell:
        return Cell(self.template, self.toolset, OTHER_STEPS, self.action, self.keys)

    def without_keys(self) -> Cell:
        return Cell(self.template, self.toolset, OTHER_STEPS, self.action)


def cell_key(*, template: str, toolset: str, previous: str, action: str, keys: Sequence[str] = ()) -> str:
    """`template` and `toolset` are digests made by the caller."""
    return Cell(template, toolset, previous, action, tuple(keys)).key


def toolset_digest(tools: Iterable[Mapping[str, Any]]) -> str:
    names = sorted({str((tool.get("function") or tool).get("name") or "") for tool in tools})
    return xxhash.xxh3_64_hexdigest(",".join(names).encode())


def cell_of(
    messages: list[dict[str, Any]], tools: Iterable[Mapping[str, Any]], output: dict[str, Any] | None
) -> str:
    """The cell key of a call in OpenAI chat shapes."""
    return cell_key(
        template=xxhash.xxh3_64_hexdigest(signature.template_of(messages).encode()),
        toolset=toolset_digest(tools),
        previous=signature.previous_kind(messages),
        action=signature.action_of(output),
        keys=signature.argument_keys(output),
    )


def parse_cell(key: str) -> Cell:
    """The parts of a key; a key of another make counts as an action of its own."""
    parts = key.rsplit("|", 3)
    if len(parts) != 4:
        return Cell("", "", signature.START, key)
    template, toolset, previous, rest = parts
    action, bracket, keys = rest.partition("(")
    names = tuple(name for name in keys.removesuffix(")").split(",") if name) if bracket else ()
    return Cell(template, toolset, previous, action, names)


@dataclass(frozen=True)
class Group:
    """Calls (by index) of one cell; `joined` came from cells too small to stand alone."""

    cell: Cell
    calls: tuple[int, ...]
    joined: tuple[int, ...] = ()


def gather(keys: Sequence[str], *, min_size: int) -> list[Group]:
    """Calls by cell; small cells of one action pool, or join its largest cell, or drop out."""
    cells: dict[str, list[int]] = {}
    for index, key in enumerate(keys):
        cells.setdefault(key, []).append(index)
    large = {parse_cell(key): calls for key, calls in cells.items() if len(calls) >= min_size}
    small = {parse_cell(key): calls for key, calls in cells.items() if len(calls) < min_size}
    pooled = _pool(small)
    large |= {cell: calls for cell, calls in pooled.items() if len(calls) >= min_size}
    joined: dict[Cell, list[int]] = {}
    for cell, calls in pooled.items():
        host = _host(cell, large) if len(calls) < min_size else None
        if host is not None:
            joined.setdefault(host, []).extend(calls)
    return [Group(cell, tuple(calls), tuple(joined.get(cell, ()))) for cell, calls in large.items()]


def _pool(small: Mapping[Cell, Sequence[int]]) -> dict[Cell, list[int]]:
    pooled: dict[Cell, list[int]] = {}
    for cell, calls in small.items():
        pooled.setdefault(cell.after_other_steps(), []).extend(calls)
    return pooled


def _host(cell: Cell, large: Mapping[Cell, Sequence[int]]) -> Cell | None:
    """Free text says nothing about what it does, so only structured actions join."""
    if not cell.is_structured:
        return None
    same = [other for other in large if other.after_other_steps() == cell]
    alike = same or [other for other in large if other.without_keys() == cell.without_keys()]
    return max(alike, key=lambda other: (len(large[other]), other.key), default=None)
