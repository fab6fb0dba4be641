"""Nearest-neighbour graph and its communities (Traag et al. 2019, Leiden)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import faiss
import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sknetwork.clustering import Leiden

from slmhub.ml.clustering.embedding import Vectors, normalised, thread_count

NEIGHBOURS = 15
EXACT_SEARCH_UP_TO = 60_000
# Below this many texts for each unit of resolution a graph falls apart into single phrases.
TEXTS_A_RESOLUTION = 60
WORDS_NEED_TEXTS = 200
WORD_DIMENSIONS = 200

Labels = NDArray[np.int64]


def with_words(vectors: Vectors, texts: Sequence[str], *, weight: float, seed: int) -> Vectors:
    """Vectors with `weight` parts of TF-IDF (words and pairs) appended, unit length."""
    if weight <= 0 or len(texts) < WORDS_NEED_TEXTS:
        return vectors
    try:
        counts = TfidfVectorizer(ngram_range=(1, 2), min_df=3, sublinear_tf=True).fit_transform(texts)
    except ValueError:  # no word stands in three texts
        return vectors
    if counts.shape[1] <= WORD_DIMENSIONS:
        return vectors
    words = TruncatedSVD(WORD_DIMENSIONS, n_iter=3, random_state=seed).fit_transform(counts)
    return normalised(np.hstack([vectors, weight * normalised(words)]))


def neighbours(vectors: Vectors, queries: Vectors, count: int) -> tuple[Vectors, Labels]:
    """Cosines and indices of the nearest `count`, exact up to EXACT_SEARCH_UP_TO, -1 where none was found."""
    faiss.omp_set_num_threads(thread_count())
    index: Any = faiss.IndexFlatIP(vectors.shape[1])
    if len(vectors) > EXACT_SEARCH_UP_TO:
        lists = int(4 * len(vectors) ** 0.5)
        index = faiss.IndexIVFFlat(index, vectors.shape[1], lists, faiss.METRIC_INNER_PRODUCT)
        index.cp.niter, index.cp.max_points_per_centroid, index.nprobe = 8, 64, 8
        index.train(vectors)
    index.add(vectors)
    similarities, found = index.search(queries, min(count, len(vectors)))
    return similarities, found


def knn_graph(vectors: Vectors) -> sp.csr_matrix:
    """Symmetric cosine graph of each vector's nearest 15 (fewer among fewer than 225)."""
    n = len(vectors)
    count = min(NEIGHBOURS, max(3, int(n**0.5)))
    similarities, found = neighbours(vectors, vectors, count + 1)
    rows = np.repeat(np.arange(n), found.shape[1])
    columns = found.ravel()
    kept = (columns >= 0) & (columns != rows)
    weights = np.clip(similarities.ravel()[kept], 1e-6, None).astype(np.float64)
    graph = sp.csr_matrix((weights, (rows[kept], columns[kept])), shape=(n, n))
    return graph.maximum(graph.T).tocsr()


def communities(vectors: Vectors, *, resolution: float, seed: int) -> Labels:
    """One label for each vector, from 0."""
    if len(vectors) < 4:
        return np.zeros(len(vectors), dtype=np.int64)
    labels = Leiden(resolution=resolution, random_state=seed).fit_predict(knn_graph(vectors))
    return np.asarray(labels, dtype=np.int64)


def scaled_resolution(resolution: float, texts: int) -> float:
    return min(resolution, max(1.0, texts / TEXTS_A_RESOLUTION))


def merged(vectors: Vectors, labels: Labels, *, same: float) -> Labels:
    """Labels from 0 after joining, closest first, communities whose centroids have a cosine above `same`."""
    sums = np.stack([vectors[labels == label].sum(axis=0) for label in range(labels.max() + 1)])
    owner = np.arange(len(sums))
    alive = list(range(len(sums)))
    while len(alive) > 1:
        centres = normalised(sums[alive])
        similarities = centres @ centres.T
        np.fill_diagonal(similarities, -1.0)
        first, second = divmod(int(similarities.argmax()), len(alive))
        if similarities[first, second] <= same:
            break
        kept, gone = alive[min(first, second)], alive.pop(max(first, second))
        sums[kept] += sums[gone]
        owner[owner == gone] = kept
    return np.unique(owner[labels], return_inverse=True)[1].astype(np.int64)


def centroids(vectors: Vectors, labels: Labels) -> Vectors:
    """(labels.max() + 1, d), unit length."""
    return normalised(np.stack([vectors[labels == label].mean(axis=0) for label in range(labels.max() + 1)]))


def membership(similarities: Vectors, own: Labels) -> NDArray[np.float64]:
    """How sure each row is of its own column: logistic in the lead over the best other one."""
    rows = np.arange(len(own))
    others = similarities.copy()
    others[rows, own] = -1.0
    lead = similarities[rows, own] - others.max(axis=1)
    return np.asarray(1 / (1 + np.exp(-lead.astype(np.float64) / 0.05)))
