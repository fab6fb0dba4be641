"""What a task is called: a title from its cell, key terms from its wording, exemplars from its middle."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS, CountVectorizer

from slmhub.formats.signature import NOTHING, RESPOND, SLOT, START
from slmhub.ml.clustering.cells import JSON_PREFIX, OTHER_STEPS, TOOL_PREFIX, Cell
from slmhub.ml.clustering.embedding import Vectors
from slmhub.ml.clustering.graph import Labels

KEYWORDS = 8
SUBTITLE_TERMS = 3
EXEMPLARS = 5
SHORTEST_OF = 10
TITLE_TEXT = 60
KEYS_SHOWN = 4
WORDS = re.compile(r"[^\W\d_]{2,}").findall
# Beside scikit-learn's list: what is left of contractions, and what people say whatever they want.
FILLERS = frozenset(("ve", "ll", "re", "don", "didn", "doesn", "isn", "wasn", "won", "wouldn", "couldn"))
TALK = frozenset(
    ("hi", "hello", "sure", "ok", "okay", "please", "like", "just", "want", "know", "let", "got")
)
STOP_WORDS = ENGLISH_STOP_WORDS | FILLERS | TALK
TERM_SHARE = 0.08


def title(cell: Cell, *, example: str, told_apart: bool) -> str:
    """`told_apart`: the cell alone does not say which task it is, so the example is added."""
    if cell.action == RESPOND:
        said = f"Reply{_after(cell.previous)}"
        told_apart = told_apart or cell.previous in ("user", START)
    elif cell.action.startswith(TOOL_PREFIX):
        said = f"{humanised(cell.action.removeprefix(TOOL_PREFIX))}{_keys(cell.keys)}{_after(cell.previous)}"
    elif cell.action.startswith(JSON_PREFIX):
        keys = cell.keys or tuple(cell.action.removeprefix(JSON_PREFIX).split(","))
        said = f"JSON answer{_keys(keys)}{_after(cell.previous)}"
    else:
        name = "No answer" if cell.action == NOTHING else humanised(cell.action)
        said = f"{name}{_keys(cell.keys)}{_after(cell.previous)}"
    return f"{said}: {example}" if told_apart and example else said


def humanised(name: str) -> str:
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|[_.\-]+", " ", name).replace("+", " + ").split()
    text = " ".join(word if word.isupper() else word.lower() for word in words)
    return text[:1].upper() + text[1:]


def _keys(keys: Sequence[str]) -> str:
    shown = [*keys[:KEYS_SHOWN], "…"] if len(keys) > KEYS_SHOWN else list(keys)
    return f" ({', '.join(shown)})" if shown else ""


def _after(previous: str) -> str:
    if previous == START:
        return " at the start"
    if previous == OTHER_STEPS:
        return " after other steps"
    name = previous.removeprefix(TOOL_PREFIX)
    return f" after {name if name == previous else humanised(name).lower()}"


def shown(text: str) -> str:
    """A masked text for people: slots as dots, one line, cut."""
    line = re.sub(r"\s+", " ", text.replace(SLOT, "…")).strip().replace("….", "…")
    return line if len(line) <= TITLE_TEXT else line[: TITLE_TEXT - 1].rstrip() + "…"


def shortest_central(texts: Sequence[str], order: Sequence[int]) -> str:
    """The shortest of the ten texts nearest the centroid (texts of one word aside)."""
    central = [texts[index] for index in order[:SHORTEST_OF]]
    wordy = [text for text in central if len(text.replace(SLOT, " ").split()) > 1]
    return shown(min(wordy or central, key=len, default=""))


def central_order(vectors: Vectors) -> NDArray[np.int64]:
    """Indices from the nearest to the mean to the farthest."""
    return np.argsort(-(vectors @ vectors.mean(axis=0)), kind="stable")


def exemplar_positions(order: Sequence[int]) -> list[int]:
    """The medoid and four others spread over the nearer four fifths, so that they show the range."""
    reach = max(int(0.8 * len(order)), min(len(order), EXEMPLARS))
    steps = np.linspace(0, reach - 1, min(EXEMPLARS, reach)).astype(int)
    return [int(order[step]) for step in dict.fromkeys(steps.tolist())]


def terms_of(text: str) -> list[str]:
    """Words that say something, and neighbouring pairs of them."""
    words = [word.lower() for word in WORDS(text)]
    telling = [word not in STOP_WORDS for word in words]
    pairs = [f"{words[i]} {words[i + 1]}" for i in range(len(words) - 1) if telling[i] and telling[i + 1]]
    return [word for word, kept in zip(words, telling, strict=True) if kept] + pairs


def keywords(texts: Sequence[str], labels: Labels, count: int) -> list[list[str]]:
    """Terms of each of `count` labels by class TF-IDF (Grootendorst 2022), overlapping ones removed.

    A term must stand in a twelfth of its label's texts, so that a name or a product does not stand for all.
    """
    try:
        counter = CountVectorizer(analyzer=terms_of, binary=True)
        counts = counter.fit_transform(texts)
    except ValueError:  # nothing but stop words
        return [[] for _ in range(count)]
    names = counter.get_feature_names_out()
    totals = np.asarray(counts.sum(axis=0)).ravel()
    weight = np.log1p(totals.sum() / count / totals)
    return [_best_terms(counts[np.flatnonzero(labels == label)], weight, names) for label in range(count)]


def _best_terms(counts: Any, weight: NDArray[np.float64], names: NDArray[np.str_]) -> list[str]:
    """`counts`: texts of one label x terms, sparse."""
    frequency = np.asarray(counts.sum(axis=0)).ravel()
    frequency[frequency < max(1.0, TERM_SHARE * counts.shape[0])] = 0
    terms: list[str] = []
    for position in np.argsort(-frequency * weight, kind="stable")[: KEYWORDS * 4]:
        term = str(names[position])
        if frequency[position] and not any(set(term.split()) & set(kept.split()) for kept in terms):
            terms.append(term)
    return terms[:KEYWORDS]


def repeated(titles: Sequence[str]) -> set[str]:
    return {title for title, times in Counter(titles).items() if times > 1}
