"""What a clustering is asked, and what it writes: parameters, placed calls, the summary. Imports no numpy."""

from __future__ import annotations

import msgspec


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """`resolution`: finer above, coarser below. Clusters below `min_size` are none, cells from `split_at`
    calls on may be split; `tfidf` is the weight of words beside meaning."""

    seed: int = 0
    resolution: float = 5.0
    min_size: int = 8
    split_at: int = 60
    tfidf: float = 0.3


class Parameters(Options, frozen=True, kw_only=True):
    """The options of a run and the model that reads its texts."""

    embedder: str = ""


class FoundCluster(msgspec.Struct, kw_only=True):
    """`cell` is the exact kind of its calls, "" among plain texts; `part` tells the parts of one apart."""

    cluster: int
    size: int
    cell: str = ""
    part: int | None = None
    title: str = ""
    subtitle: str = ""
    keywords: list[str] = []
    exemplars: list[str | int] = []
    cohesion: float = 0.0


class PlacedLine(msgspec.Struct, frozen=True, kw_only=True):
    """Where one call was put: its cluster, and its place on the map."""

    id: str | int
    cluster: int
    probability: float
    x: float
    y: float


class Handled(msgspec.Struct, frozen=True):
    done: int = 0
    total: int = 0


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """`timings` are seconds by stage, `noise` counts calls in no cluster, `distinct` different texts."""

    clusters: list[FoundCluster]
    noise: int
    distinct: int
    timings: dict[str, float]
    params: Parameters
    progress: Handled


class StageLine(msgspec.Struct, frozen=True):
    """A line of progress."""

    stage: str
    done: int
    total: int
