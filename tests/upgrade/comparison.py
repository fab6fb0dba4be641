"""What the rows said before and what they say now: nothing may be lost, and every change is named here."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.upgrade.rows import rows

Values = dict[str, Any]
ENTRIES = {
    "apps.traces.jobs.import_upload": "apps.uploads.jobs.import_upload",
    "apps.traces.jobs.recompute_costs": "apps.prices.jobs.recompute_costs",
}
# A column that says it otherwise: (model, column) → what the old value has become, given the old row.
BECOMES: dict[tuple[str, str], Callable[[Any, Values], Any]] = {
    ("Job", "entry"): lambda entry, _: ENTRIES.get(entry, entry),
}
# A column that went, with where its content is now.
GONE: dict[tuple[str, str], str] = {
    ("Teacher", "input_price"): "the workspace's price of its model",
    ("Teacher", "output_price"): "the workspace's price of its model",
}
# A column or model under another name.
RENAMED_COLUMNS: dict[tuple[str, str], str] = {}
RENAMED_MODELS: dict[str, str] = {}
# Models of which a migration may add rows.
MAY_GROW: set[str] = {"Price"}
MOST_TOLD = 20


def differences(before: Path) -> list[str]:
    """One line for each model and column that does not say what it said."""
    now = {(model, json.dumps(key)): values for model, key, values in rows()}
    found: Counter[str] = Counter()
    examples: dict[str, str] = {}
    kept: set[tuple[str, str]] = set()
    for model, key, values in old_rows(before):
        place = RENAMED_MODELS.get(model, model), json.dumps(key)
        kept.add(place)
        if place not in now:
            found[f"{model}: rows are missing"] += 1
            continue
        for column, old in values.items():
            if (model, column) in GONE:
                continue
            name = RENAMED_COLUMNS.get((model, column), column)
            expected = BECOMES[model, column](old, values) if (model, column) in BECOMES else old
            new = now[place].get(name, "(no such column)")
            if not says_the_same(expected, new):
                found[f"{model}.{column}"] += 1
                examples.setdefault(f"{model}.{column}", f"{key}: {_short(expected)} → {_short(new)}")
    for model, _ in now.keys() - kept:
        if model in {old for old, _ in kept} and model not in MAY_GROW:
            found[f"{model}: rows were added"] += 1
    told = [f"{what} ({count} rows) {examples.get(what, '')}".rstrip() for what, count in found.items()]
    return told[:MOST_TOLD]


def says_the_same(old: Any, new: Any) -> bool:
    """A struct may say more than the plain JSON did, never less or otherwise."""
    if isinstance(old, dict) and isinstance(new, dict):
        return all(key in new and says_the_same(value, new[key]) for key, value in old.items())
    if isinstance(old, list) and isinstance(new, list):
        return len(old) == len(new) and all(map(says_the_same, old, new))
    return bool(old == new)


def old_rows(path: Path) -> Iterator[tuple[str, Any, Values]]:
    with gzip.open(path, "rt") as file:
        for line in file:
            model, key, values = json.loads(line)
            yield model, key, values


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) < 200 else f"{text[:200]}…"
