"""Items in, clusters out: collapse → embed → cells and their parts (or one graph) → names → map."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
from msgspec.structs import asdict, replace
from numpy.typing import NDArray

from slmhub.ml.clustering import naming
from slmhub.ml.clustering.cells import Cell, Group, gather
from slmhub.ml.clustering.embedding import EMBEDDER, Progress, Vectors, collapse, embed, normalised
from slmhub.ml.clustering.graph import (
    Labels,
    centroids,
    communities,
    membership,
    merged,
    scaled_resolution,
    with_words,
)
from slmhub.ml.clustering.projection import positions
from slmhub.ml.clustering.reading import Batch, Item, Kind
from slmhub.ml.clustering.records import FoundCluster, Handled, Options, Parameters, Summary
from slmhub.ml.clustering.splitting import is_closed_set, prompt_parts, topic_parts

NONE = -1
JOINED_PROBABILITY = 0.5
# A text this far below the middle of its cluster, in spreads between the quartiles, belongs to none.
FAR = 3.0
ALWAYS_FAR = 0.25
# A few busy intents fall into many communities, many sparse ones do not: merging makes up for it.
SAME_INTENT = 0.75
CELL_ON_MAP = 0.7
CELL_DIMENSIONS = 24


@dataclass(frozen=True)
class Part:
    """One task: calls by index; `number` tells the parts of a split cell apart."""

    cell: Cell | None
    number: int | None
    calls: Labels
    probability: NDArray[np.float64]


@dataclass(frozen=True)
class Result:
    """In input order; `points` is empty for plain texts."""

    labels: Labels
    probability: NDArray[np.float64]
    points: NDArray[np.float64]
    summary: Summary


@dataclass
class Run:
    """One clustering in progress: what every step needs."""

    items: Sequence[Item]
    options: Options
    progress: Progress
    texts: list[str] = field(default_factory=list)
    ask: Labels = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    vectors: Vectors = field(default_factory=lambda: np.zeros((0, 0), dtype=np.float32))
    timings: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        self.progress(name, 0, 1)
        started = time.perf_counter()
        yield
        self.timings[name] = round(time.perf_counter() - started, 3)
        self.progress(name, 1, 1)


def cluster(batch: Batch, options: Options, *, progress: Progress) -> Result:
    run = Run(batch.items, options, progress)
    with run.stage("collapse"):
        run.texts, run.ask = collapse([item.ask for item in batch.items])
    with run.stage("embed"):
        run.vectors = embed(run.texts, progress=progress)
    with run.stage("cluster"):
        parts = _text_parts(run) if batch.kind is Kind.TEXT else _call_parts(run)
        parts.sort(key=lambda part: (-len(part.calls), int(part.calls.min())))
        labels, probability = _assigned(parts, len(batch.items))
    with run.stage("name"):
        clusters = _described(run, parts)
    with run.stage("map"):
        points = np.zeros((0, 2)) if batch.kind is Kind.TEXT else _points(run, labels)
    return Result(labels, probability, points, _summary(run, clusters, labels))


def _summary(run: Run, clusters: list[FoundCluster], labels: Labels) -> Summary:
    return Summary(
        clusters=clusters,
        noise=int((labels == NONE).sum()),
        distinct=len(run.texts),
        timings=run.timings,
        params=Parameters(**asdict(run.options), embedder=EMBEDDER),
        progress=Handled(done=len(run.items), total=len(run.items)),
    )


def _assigned(parts: Sequence[Part], count: int) -> tuple[Labels, NDArray[np.float64]]:
    labels = np.full(count, NONE, dtype=np.int64)
    probability = np.zeros(count)
    for label, part in enumerate(parts):
        labels[part.calls] = label
        probability[part.calls] = part.probability
    return labels, probability


def _text_parts(run: Run) -> list[Part]:
    """Communities of all distinct texts; small ones and texts far from their centroid belong to none."""
    if not run.texts:
        return []
    options = run.options
    vectors = with_words(run.vectors, run.texts, weight=options.tfidf, seed=options.seed)
    resolution = scaled_resolution(options.resolution, len(run.texts))
    found = communities(vectors, resolution=resolution, seed=options.seed)
    found = merged(run.vectors, found, same=SAME_INTENT)
    similarities = vectors @ centroids(vectors, found).T
    own = similarities[np.arange(len(found)), found]
    kept = ~_far(own, found)
    sure = membership(similarities, found)
    least = min(options.min_size, max(2, len(run.items) // 10))
    labels = np.where(kept, found, NONE)[run.ask]
    groups = [np.flatnonzero(labels == label) for label in range(found.max() + 1)]
    return [Part(None, None, calls, sure[run.ask[calls]]) for calls in groups if len(calls) >= least]


def _far(own: NDArray[np.float32], labels: Labels) -> NDArray[np.bool_]:
    far = own < ALWAYS_FAR
    for label in range(labels.max() + 1):
        members = labels == label
        low, middle, high = np.percentile(own[members], (25, 50, 75))
        far |= members & (own < middle - FAR * (high - low))
    return np.asarray(far)


def _call_parts(run: Run) -> list[Part]:
    calls = [index for index, item in enumerate(run.items) if item.cell is not None]
    groups = gather([run.items[index].cell or "" for index in calls], min_size=run.options.min_size)
    parts: list[Part] = []
    for done, group in enumerate(groups, start=1):
        members = np.array([calls[index] for index in group.calls], dtype=np.int64)
        joined = np.array([calls[index] for index in group.joined], dtype=np.int64)
        parts.extend(_parts(run, group, members, joined))
        run.progress("cluster", done, len(groups))
    return parts


def _parts(run: Run, group: Group, members: Labels, joined: Labels) -> list[Part]:
    distinct, where = np.unique(run.ask[members], return_inverse=True)
    labels = _part_labels(run, group, members, distinct)
    if labels.max() == 0:
        sure = np.concatenate([np.ones(len(members)), np.full(len(joined), JOINED_PROBABILITY)])
        return [Part(group.cell, None, np.concatenate([members, joined]), sure)]
    vectors = run.vectors[distinct]
    sure = membership(vectors @ centroids(vectors, labels).T, labels)
    parts = [
        Part(group.cell, label, members[labels[where] == label], sure[where][labels[where] == label])
        for label in range(labels.max() + 1)
    ]
    if len(joined):
        parts[0] = Part(
            group.cell,
            0,
            np.concatenate([parts[0].calls, joined]),
            np.concatenate([parts[0].probability, np.full(len(joined), JOINED_PROBABILITY)]),
        )
    return parts


def _part_labels(run: Run, group: Group, members: Labels, distinct: Labels) -> Labels:
    """A label for each distinct ask of a cell, all 0 where the cell is one task."""
    whole = np.zeros(len(distinct), dtype=np.int64)
    options = run.options
    few = len(members) < options.split_at or len(distinct) < options.split_at // 2
    if few or group.cell.is_structured:
        return whole
    least = max(2 * options.min_size, min(len(distinct) // 20, options.split_at))
    by_prompt = prompt_parts([run.texts[index] for index in distinct], least=least)
    if by_prompt is not None:
        return by_prompt
    if _is_one_task([run.items[index] for index in members]):
        return whole
    return topic_parts(run.vectors[distinct], least=least, seed=options.seed)


def _is_one_task(items: Sequence[Item]) -> bool:
    """What a machine reads, and a classifier's verdicts, are one task whatever was asked."""
    answers = [item.answer for item in items if item.answer is not None]
    return sum(item.machine for item in items) * 2 > len(items) or (bool(answers) and is_closed_set(answers))


def _described(run: Run, parts: Sequence[Part]) -> list[FoundCluster]:
    asks = [np.unique(run.ask[part.calls], return_index=True) for part in parts]
    pairs = [(int(ask), label) for label, (distinct, _) in enumerate(asks) for ask in distinct]
    texts = [run.texts[ask] for ask, _ in pairs]
    terms = naming.keywords(texts, np.array([label for _, label in pairs], dtype=np.int64), len(parts))
    described = []
    for label, (part, (distinct, first)) in enumerate(zip(parts, asks, strict=True)):
        found = _description(run, part, distinct, first)
        described.append(replace(found, cluster=label, keywords=terms[label]))
    return _titled(described, parts)


def _description(run: Run, part: Part, distinct: Labels, first: Labels) -> FoundCluster:
    vectors = run.vectors[distinct]
    order = naming.central_order(vectors)
    calls = part.calls[first]
    spoken = [run.items[call].ask for call in calls]
    centre = normalised(run.vectors[run.ask[part.calls]].mean(axis=0))
    return FoundCluster(
        cluster=NONE,
        size=len(part.calls),
        cell=part.cell.key if part.cell else "",
        part=part.number,
        title=naming.shortest_central(spoken, order.tolist()),
        exemplars=[run.items[calls[at]].id for at in naming.exemplar_positions(order.tolist())],
        cohesion=round(float((run.vectors[run.ask[part.calls]] @ centre).mean()), 4),
    )


def _titled(described: list[FoundCluster], parts: Sequence[Part]) -> list[FoundCluster]:
    cells = [part.cell for part in parts]
    bare = [naming.title(cell, example="", told_apart=False) if cell else "" for cell in cells]
    repeated = naming.repeated(bare)
    for row, part, name in zip(described, parts, bare, strict=True):
        row.subtitle = " · ".join(row.keywords[: naming.SUBTITLE_TERMS])
        if part.cell:
            apart = part.number is not None or name in repeated
            row.title = naming.title(part.cell, example=row.title, told_apart=apart)
    return described


def _points(run: Run, labels: Labels) -> NDArray[np.float64]:
    """Each distinct (cluster, ask) once; the cluster counts beside the wording: tasks stay together."""
    if not len(labels):
        return np.zeros((0, 2))
    pairs, where = np.unique(np.stack([labels, run.ask], axis=1), axis=0, return_inverse=True)
    draw = np.random.default_rng(run.options.seed)
    directions = normalised(draw.standard_normal((int(labels.max()) + 2, CELL_DIMENSIONS)))
    features = normalised(np.hstack([run.vectors[pairs[:, 1]], CELL_ON_MAP * directions[pairs[:, 0]]]))
    return positions(features, seed=run.options.seed)[where.ravel()]
