"""What a clustering found, read from its files, and which known task each cluster is."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from apps.discovery.titles import readable
from slmhub.ml.clustering.cells import parse_cell
from slmhub.ml.clustering.records import PlacedLine, Summary

NONE = -1
SAME_TASK = 0.5


@dataclass(frozen=True)
class PlacedCall:
    """Where one call was put."""

    span: int
    cluster: int
    probability: float
    x: float
    y: float


@dataclass(frozen=True)
class Cluster:
    """One task as found: `base` is the digest of its cell, which the parts of a split cell share."""

    number: int
    size: int
    cell: str
    title: str
    subtitle: str
    keywords: list[str]
    exemplars: list[int]
    cohesion: float

    @property
    def base(self) -> str:
        return hashlib.sha256(self.cell.encode()).hexdigest()[:40]

    @property
    def action(self) -> str:
        return parse_cell(self.cell).action

    @property
    def previous(self) -> str:
        return parse_cell(self.cell).previous


def read_placed(path: Path) -> Iterator[PlacedCall]:
    decoder = msgspec.json.Decoder(PlacedLine)
    with path.open("rb") as file:
        for line in map(decoder.decode, file):
            yield PlacedCall(int(line.id), line.cluster, line.probability, line.x, line.y)


def read_clusters(summary: Summary) -> list[Cluster]:
    found = summary.clusters
    titles = readable([parse_cell(one.cell) for one in found], [one.title for one in found])
    return [
        Cluster(
            number=one.cluster,
            size=one.size,
            cell=one.cell,
            title=title[:200],
            subtitle=one.subtitle[:300],
            keywords=one.keywords,
            exemplars=[int(call) for call in one.exemplars],
            cohesion=one.cohesion,
        )
        for one, title in zip(found, titles, strict=True)
    ]


@dataclass(frozen=True)
class Known:
    """A task of an earlier run: its key (`base` or `base:n`) and how many calls it had."""

    pk: int
    key: str
    size: int

    @property
    def base(self) -> str:
        return self.key.partition(":")[0]


def recognise(
    clusters: Sequence[Cluster], known: Sequence[Known], shared: Mapping[tuple[int, int], int]
) -> dict[int, Known]:
    """Cluster number → the task that it is; `shared` counts calls by (known pk, cluster number).

    First within the same cell, by shared calls; then by the key alone; then across cells when each holds
    at least half of the other.
    """
    found: dict[int, Known] = {}
    by_pk, by_number = {one.pk: one for one in known}, {one.number: one for one in clusters}
    ranked = sorted(shared, key=lambda pair: (-shared[pair], pair))
    pairs = [(by_pk[pk], by_number[number]) for pk, number in ranked if pk in by_pk and number in by_number]
    _pair_up(found, [(old, new) for old, new in pairs if old.base == new.base])
    _pair_up(found, [(old, new) for new in clusters for old in known if old.key == new.base])
    _pair_up(found, [(old, new) for old, new in pairs if _mostly_same(old, new, shared)])
    return found


def _pair_up(found: dict[int, Known], pairs: Iterable[tuple[Known, Cluster]]) -> None:
    taken = {one.pk for one in found.values()}
    for old, new in pairs:
        if old.pk not in taken and new.number not in found:
            found[new.number] = old
            taken.add(old.pk)


def _mostly_same(old: Known, new: Cluster, shared: Mapping[tuple[int, int], int]) -> bool:
    both = shared[old.pk, new.number]
    return both >= SAME_TASK * old.size and both >= SAME_TASK * new.size


def fresh_key(cluster: Cluster, taken: set[str]) -> str:
    """The cluster's base, or with the lowest free number when another task of its cell has that."""
    keys = (cluster.base, *(f"{cluster.base}:{number}" for number in range(2, len(taken) + 3)))
    return next(key for key in keys if key not in taken)


def count_shared(places: Iterable[PlacedCall], before: Mapping[int, int]) -> Counter[tuple[int, int]]:
    """Calls by (task before, cluster now); `before` is span → task."""
    return Counter(
        (before[place.span], place.cluster)
        for place in places
        if place.cluster != NONE and place.span in before
    )
