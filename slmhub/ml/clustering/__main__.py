"""JSON lines in, JSON lines out; progress on standard error, one JSON object a line."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from slmhub.ml.clustering.reading import Batch, InputError, Kind, read
from slmhub.ml.clustering.records import Options, PlacedLine, StageLine

BAD_INPUT = 2
PROGRESS_SECONDS = 0.5
# Read when the numeric libraries load: their idle threads would spin on a shared machine.
THREADS = {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "passive"}


class ProgressLines:
    """Writes a stage's first and last step, and at most two steps a second between."""

    def __init__(self) -> None:
        self.stage = ""
        self.written_at = 0.0

    def __call__(self, stage: str, done: int, total: int) -> None:
        now = time.monotonic()
        if stage == self.stage and done < total and now - self.written_at < PROGRESS_SECONDS:
            return
        self.stage, self.written_at = stage, now
        write_error(StageLine(stage, done=done, total=total))


def write_error(row: StageLine | dict[str, Any]) -> None:
    sys.stderr.write(msgspec.json.encode(row).decode() + "\n")
    sys.stderr.flush()


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m slmhub.ml.clustering", description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--resolution", type=float, default=5.0, help="finer above, coarser below")
    parser.add_argument("--min-size", type=int, default=8, help="smaller clusters are none")
    parser.add_argument("--split-at", type=int, default=60, help="cells from this many calls may be split")
    parser.add_argument("--tfidf", type=float, default=0.3, help="weight of words beside meaning; 0 is off")
    parser.add_argument("--summary", type=Path, help="file for titles, keywords, exemplars and timings")
    return parser.parse_args()


def run(batch: Batch, options: argparse.Namespace) -> None:
    for name, value in THREADS.items():
        os.environ.setdefault(name, value)
    # Imported late: a bad line is answered without waiting for the numeric libraries.
    from slmhub.ml.clustering.pipeline import cluster

    chosen = Options(
        seed=options.seed,
        resolution=options.resolution,
        min_size=options.min_size,
        split_at=options.split_at,
        tfidf=options.tfidf,
    )
    result = cluster(batch, chosen, progress=ProgressLines())
    labels, chances = result.labels.tolist(), result.probability.round(4).tolist()
    rows: Iterable[PlacedLine | dict[str, Any]]
    if batch.kind is Kind.TEXT:
        rows = (
            {"cluster": label, "probability": chance} for label, chance in zip(labels, chances, strict=True)
        )
    else:
        placed = zip(batch.items, labels, chances, result.points.tolist(), strict=True)
        rows = (
            PlacedLine(id=item.id, cluster=label, probability=chance, x=x, y=y)
            for item, label, chance, (x, y) in placed
        )
    encode = msgspec.json.Encoder().encode
    sys.stdout.buffer.writelines(encode(row) + b"\n" for row in rows)
    if options.summary:
        options.summary.write_bytes(encode(result.summary))


def main() -> int:
    options = arguments()
    try:
        batch = read(sys.stdin.buffer)
    except InputError as error:
        write_error({"error": str(error), "line": error.line})
        return BAD_INPUT
    run(batch, options)
    return 0


if __name__ == "__main__":
    sys.exit(main())
