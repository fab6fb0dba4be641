"""A split as JSON lines, the way training reads it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import orjson

from apps.datasets.models import DatasetVersion, Split
from slmhub.ml.prompt_formats import COMPACT


def lines_of(dataset: DatasetVersion, split: Split) -> Iterator[bytes]:
    """`{"id","prompt","completion"}` of each example, in order; chat shapes where the format is not ours."""
    examples = dataset.examples.filter(split=split).order_by("position")
    if dataset.prompt_format == COMPACT:
        names = {"prompt": "prompt", "completion": "completion"}
    else:
        names = {"messages": "messages", "tools": "tools", "answer": "expected"}
    for pk, *values in examples.values_list("pk", *names.values()).iterator(chunk_size=500):
        yield orjson.dumps({"id": str(pk), **dict(zip(names, values, strict=True))}) + b"\n"


def write_split(dataset: DatasetVersion, split: Split | str, path: Path) -> int:
    """Writes the split to `path`; returns how many lines."""
    written = 0
    with path.open("wb") as file:
        for line in lines_of(dataset, Split(split)):
            file.write(line)
            written += 1
    return written
