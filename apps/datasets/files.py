"""A split as JSON lines, the way training reads it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import orjson

from apps.datasets.models import DatasetVersion, Split


def lines_of(dataset: DatasetVersion, split: Split) -> Iterator[bytes]:
    """`{"id","prompt","completion"}` of each example, in order."""
    rows = dataset.examples.filter(split=split).order_by("position").values_list("pk", "prompt", "completion")
    for pk, prompt, completion in rows.iterator(chunk_size=500):
        yield orjson.dumps({"id": str(pk), "prompt": prompt, "completion": completion}) + b"\n"


def write_split(dataset: DatasetVersion, split: Split | str, path: Path) -> int:
    """Writes the split to `path`; returns how many lines."""
    written = 0
    with path.open("wb") as file:
        for line in lines_of(dataset, Split(split)):
            file.write(line)
            written += 1
    return written
