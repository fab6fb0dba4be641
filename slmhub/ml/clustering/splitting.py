"""Does a cell hold several tasks? By different prompts first, then by clearly separate topics."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

import numpy as np

from slmhub.ml.clustering.embedding import Vectors, normalised
from slmhub.ml.clustering.graph import Labels, communities

PROMPT_WORDS = 3
PROMPT_SHARE = 0.1
PROMPT_LEAST_RUNS = 4
PROMPT_COVERAGE = 0.8
SAME_PROMPT = 0.5
# Communities whose centroids are closer than this are one topic: single intents of SNIPS and CLINC150
# then stay whole, while ten intents thrown together come apart again.
SAME_TOPIC = 0.6
TOPIC_RESOLUTION = 3.0
CLOSED_SET_SHARE = 0.2

Run = tuple[str, ...]


def prompt_parts(texts: Sequence[str], *, least: int) -> Labels | None:
    """A label for each text by the prompt it is made from, or None when they share no fixed wording.

    A prompt is what many texts have in common: word triples that stand in a tenth of them.
    """
    skeletons = _skeletons(texts)
    made = [len(skeleton) >= PROMPT_LEAST_RUNS for skeleton in skeletons]
    if sum(made) < PROMPT_COVERAGE * len(texts):
        return None
    prompts: list[frozenset[Run]] = []
    for skeleton, _ in Counter(skeletons).most_common():
        if _same_prompt(skeleton, prompts) is None and len(skeleton) >= PROMPT_LEAST_RUNS:
            prompts.append(skeleton)
    labels = np.array([_same_prompt(skeleton, prompts) or 0 for skeleton in skeletons], dtype=np.int64)
    return _without_small(labels, least=least)


def _skeletons(texts: Sequence[str]) -> list[frozenset[Run]]:
    runs = [_runs(text) for text in texts]
    frequency = Counter(run for found in runs for run in found)
    least = max(5, PROMPT_SHARE * len(texts))
    return [frozenset(run for run in found if frequency[run] >= least) for found in runs]


def _runs(text: str) -> set[Run]:
    words = re.findall(r"\w+|[^\w\s]", text)
    return {tuple(words[i : i + PROMPT_WORDS]) for i in range(len(words) - PROMPT_WORDS + 1)}


def _same_prompt(skeleton: frozenset[Run], prompts: Sequence[frozenset[Run]]) -> int | None:
    for index, prompt in enumerate(prompts):
        if len(skeleton & prompt) >= SAME_PROMPT * max(min(len(skeleton), len(prompt)), 1):
            return index
    return None


def _without_small(labels: Labels, *, least: int) -> Labels:
    """Labels from 0 by size; those of fewer than `least` texts fall to the largest."""
    sizes = Counter(labels.tolist()).most_common()
    kept = {label: rank for rank, (label, size) in enumerate(sizes) if size >= least or rank == 0}
    return np.array([kept.get(label, 0) for label in labels.tolist()], dtype=np.int64)


def is_closed_set(answers: Sequence[str]) -> bool:
    """A handful of answers again and again: a classifier's, one task whatever it is asked."""
    return len(set(answers)) <= CLOSED_SET_SHARE * len(answers)


def topic_parts(vectors: Vectors, *, least: int, seed: int) -> Labels:
    """A label for each vector from 0 by size; all 0 when no two topics stand well apart."""
    found = communities(vectors, resolution=TOPIC_RESOLUTION, seed=seed)
    groups = [np.flatnonzero(found == label) for label in range(found.max() + 1)]
    while len(groups) > 1:
        pair = _closest(vectors, groups, least=least)
        if pair is None:
            break
        kept, gone = min(pair), max(pair)
        groups[kept] = np.concatenate([groups[kept], groups.pop(gone)])
    labels = np.zeros(len(vectors), dtype=np.int64)
    for rank, group in enumerate(sorted(groups, key=lambda group: (-len(group), group.min()))):
        labels[group] = rank
    return labels


def _closest(vectors: Vectors, groups: Sequence[Labels], *, least: int) -> tuple[int, int] | None:
    """The two groups to merge next: the smallest one with its nearest, then any two of one topic."""
    centres = normalised(np.stack([vectors[group].mean(axis=0) for group in groups]))
    similarities = centres @ centres.T
    np.fill_diagonal(similarities, -1.0)
    smallest = min(range(len(groups)), key=lambda index: len(groups[index]))
    if len(groups[smallest]) < least:
        return smallest, int(similarities[smallest].argmax())
    first, second = divmod(int(similarities.argmax()), len(groups))
    return (first, second) if similarities[first, second] > SAME_TOPIC else None
