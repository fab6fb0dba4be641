"""Spans at half the rate that the hub sustains, for minutes: its memory stays flat and nothing is refused.

`python -m benchmarks.soak [--minutes 10]`. The sustainable rate is that of rows stored in the first seconds;
its memory is sampled in the web and in the ingest process, each on its own.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import psutil

from benchmarks import hub
from benchmarks.agent_spans import Agent, export
from benchmarks.otlp import Target, hub_target, measured, resident, wait_until, written
from benchmarks.results import Results

MEASURED_SESSIONS = 600
SPANS_PER_BODY = 13
SAMPLE_EVERY_S = 5.0
# Allocators keep what they once took; what grows for ever grows by more than this.
FLAT_MIB_PER_MINUTE = 2.0
MOST_WAITING_S = 10.0


@dataclass(frozen=True)
class Sample:
    at_s: float
    own_mib: dict[str, float]
    resident_mib: dict[str, float]
    waiting: int


@dataclass
class Load:
    """What was sent so far, and samples of the processes meanwhile."""

    sent: int = 0
    refused: int = 0
    samples: list[Sample] = field(default_factory=list)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    minutes: float = parser.parse_args().minutes
    results = Results("soak")
    with hub.fresh_hub() as home, hub_target(home) as target:
        rate = sustainable(target) / 2
        results.add("rate", f"{rate:.0f} spans/s, half of what it stores", spans_per_s=rate)
        before = target.stored()
        load = asyncio.run(soak(target, rate, minutes * 60, before))
        started = time.monotonic()
        wait_until(lambda: target.stored() - before >= load.sent)
        is_good = report(results, load, rate, time.monotonic() - started)
    results.write()
    return 0 if is_good else 1


def sustainable(target: Target) -> float:
    """Rows a second while as many bodies come in as it takes."""
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        return measured(target, list(written(Path(folder), MEASURED_SESSIONS))).stored_per_s


async def soak(target: Target, rate: float, seconds: float, before: int) -> Load:
    """One session a body, sent at its time whether or not the last one was answered late."""
    load, agent = Load(), Agent(11)
    started = time.monotonic()
    headers = {"content-type": "application/x-protobuf", **target.headers}
    async with aiohttp.ClientSession(headers=headers) as session:
        sampling = asyncio.create_task(sample(target, load, started, before))
        while (passed := time.monotonic() - started) < seconds:
            due = load.sent / rate
            if due > passed:
                await asyncio.sleep(due - passed)
            body = await asyncio.to_thread(lambda: export(agent.session()))
            async with session.post(target.url, data=body) as response:
                await response.read()
            if response.status == 200:
                load.sent += SPANS_PER_BODY
            else:
                load.refused += 1
        sampling.cancel()
    return load


async def sample(target: Target, load: Load, started: float, before: int) -> None:
    while True:
        stored = await asyncio.to_thread(target.stored)
        own = {_name(pid): own_memory(pid) / 2**20 for pid in target.pids}
        whole = {_name(pid): resident([pid]) / 2**20 for pid in target.pids}
        load.samples.append(Sample(time.monotonic() - started, own, whole, load.sent - (stored - before)))
        await asyncio.sleep(SAMPLE_EVERY_S)


def own_memory(pid: int) -> int:
    """Resident bytes without those of mapped files: SQLite maps the first 256 MiB of a database."""
    memory = psutil.Process(pid).memory_info()
    return int(memory.rss - memory.shared)


def _name(pid: int) -> str:
    return "ingest" if "ingest_spool" in psutil.Process(pid).cmdline() else "web"


def report(results: Results, load: Load, rate: float, drained_s: float) -> bool:
    settled = load.samples[len(load.samples) // 3 :]
    flat = [add_memory(results, name, settled) for name in settled[0].resident_mib]
    most_waiting = max(one.waiting for one in load.samples)
    is_good = all(flat) and not load.refused and most_waiting < rate * MOST_WAITING_S
    seconds = load.samples[-1].at_s
    line = (
        f"{load.sent} spans in {seconds:.0f} s, {load.refused} refused, at most {most_waiting} waited for "
        f"their rows, all stored {drained_s:.1f} s after the last; {'met' if is_good else 'MISSED'}"
    )
    figures = {"sent": load.sent, "refused": load.refused, "most_waiting": most_waiting}
    results.add("load", line, seconds=seconds, drained_s=drained_s, met=is_good, **figures)
    return is_good


def add_memory(results: Results, name: str, settled: Sequence[Sample]) -> bool:
    """Whether the process's memory is flat over these samples."""
    memory, whole = [one.own_mib[name] for one in settled], [one.resident_mib[name] for one in settled]
    growth = slope([one.at_s / 60 for one in settled], memory)
    is_flat = growth < FLAT_MIB_PER_MINUTE
    line = (
        f"{memory[0]:.0f} MiB after a third of the time, {memory[-1]:.0f} at the end, at most "
        f"{max(memory):.0f} ({max(whole):.0f} with mapped files); {growth:+.2f} MiB/min "
        f"({'flat' if is_flat else 'GROWS'})"
    )
    results.add(name, line, own_mib=memory, resident_mib=whole, growth_mib_per_min=growth)
    return is_flat


def slope(moments: Sequence[float], values: Sequence[float]) -> float:
    """Of the straight line that fits best."""
    return statistics.linear_regression(moments, values).slope if len(values) > 1 else 0.0


if __name__ == "__main__":
    sys.exit(main())
