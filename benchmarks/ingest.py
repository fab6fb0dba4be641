"""`manage.py import_traces` of the tau corpus into an empty hub, then once more.

There is no peer; beside it stands the least that any importer does: unpack and parse the file.
"""

from __future__ import annotations

import gzip
import time
from pathlib import Path

import orjson

from benchmarks.hub import fresh_hub, import_traces
from benchmarks.results import MissingDataError, Results, data, skipped

TARGET_S, TARGET_MIB = 60, 512


def main() -> None:
    try:
        corpus = data("traces/tau_openai_chat.jsonl.gz")
    except MissingDataError as error:
        skipped("ingest", error)
        return
    results = Results("ingest")
    floor_s = seconds_to_read(corpus)
    with fresh_hub() as home:
        for run in ("first", "second"):
            measure(results, run, corpus, home, floor_s)
    results.write()


def seconds_to_read(path: Path) -> float:
    """CPU seconds of unpacking and parsing alone, which no importer can go below."""
    started = time.process_time()
    with gzip.open(path) as lines:
        for line in lines:
            orjson.loads(line)
    return time.process_time() - started


def measure(results: Results, run: str, corpus: Path, home: Path, floor_s: float) -> None:
    report = import_traces(corpus, "tau")
    size = sum(path.stat().st_size for path in home.glob("hub.sqlite3*"))
    rate, ratio = report["read"] / report["wall_s"], report["cpu_s"] / floor_s
    met = report["wall_s"] < TARGET_S and report["peak_rss_mib"] < TARGET_MIB
    line = (
        f"{report['accepted']} accepted, {report['duplicate']} duplicate, {report['rejected']} rejected in "
        f"{report['wall_s']} s "
        f"({rate:.0f} calls/s, {report['cpu_s']} CPU s = {ratio:.1f} x reading the JSON), "
        f"peak {report['peak_rss_mib']} MiB, database {size / 1e6:.1f} MB; "
        f"target {TARGET_S} s and {TARGET_MIB} MiB {'met' if met else 'MISSED'}"
    )
    figures = {
        "calls_per_s": round(rate, 1),
        "database_bytes": size,
        "floor_cpu_s": floor_s,
        "target_met": met,
    }
    results.add(run, line, **report, **figures)


if __name__ == "__main__":
    main()
