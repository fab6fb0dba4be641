"""A map in two dimensions: t-SNE of a sample, the rest placed among their nearest sampled points."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE

from slmhub.ml.clustering.embedding import Vectors, normalised
from slmhub.ml.clustering.graph import neighbours

SAMPLE = 2000
COMPONENTS = 50
FEWEST_FOR_TSNE = 30
PERPLEXITY = 30
ITERATIONS = 500
PLACED_AMONG = 3

Points = NDArray[np.float64]


def positions(vectors: Vectors, *, seed: int) -> Points:
    """(n, 2) within [-1, 1]; the same for the same vectors and seed."""
    n = len(vectors)
    if n < FEWEST_FOR_TSNE:
        return _scaled(_components(vectors, 2, seed=seed))
    chosen = np.sort(np.random.default_rng(seed).choice(n, size=min(SAMPLE, n), replace=False))
    sample = normalised(_components(vectors[chosen], COMPONENTS, seed=seed))
    placed = _tsne(sample, seed=seed)
    if len(chosen) == n:
        return _scaled(placed)
    similarities, nearest = neighbours(vectors[chosen], vectors, PLACED_AMONG)
    weights = np.clip(similarities, 1e-3, None)[..., None] ** 8
    points = (placed[nearest] * weights).sum(axis=1) / weights.sum(axis=1)
    points[chosen] = placed
    return _scaled(points)


def _components(vectors: Vectors, count: int, *, seed: int) -> NDArray[np.float64]:
    """Padded with zeros where there are fewer components."""
    possible = min(count, *vectors.shape)
    components = np.zeros((len(vectors), count))
    if len(vectors) > 1:
        components[:, :possible] = PCA(possible, random_state=seed).fit_transform(vectors)
    return components


def _tsne(vectors: Vectors, *, seed: int) -> Points:
    perplexity = min(PERPLEXITY, (len(vectors) - 1) / 3)
    model = TSNE(perplexity=perplexity, init="pca", max_iter=ITERATIONS, random_state=seed, n_jobs=1)
    return np.asarray(model.fit_transform(vectors), dtype=np.float64)


def _scaled(points: Points) -> Points:
    centred = points - (points.max(axis=0) + points.min(axis=0)) / 2
    return np.asarray(np.round(centred / max(float(np.abs(centred).max()), 1e-9), 4))
