"""OTLP over HTTP beside Arize Phoenix on SQLite: the same exports to both, one after the other, in one run.

For each: spans a second acknowledged, spans a second until all are committed rows (the hub's redacted and
searchable, Phoenix's as they came), peak memory of its processes, bytes on disk. The hub's acknowledgement is
durable: the spans are encrypted and synced before the answer. Phoenix acknowledges what lies in its memory,
so its durable rate is that of its rows.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread

import aiohttp
import psutil

from benchmarks import hub
from benchmarks.agent_spans import bodies
from benchmarks.phoenix_peer import phoenix
from benchmarks.results import MissingDataError, Results

SESSIONS = 400
CLIENTS = 4
POLL_S = 0.05
GIVE_UP_S = 300
SETTLE_S = 2.0


@dataclass(frozen=True)
class Target:
    """A server under load: `stored()` counts its committed spans, `folder` is all it writes."""

    url: str
    headers: dict[str, str]
    stored: Callable[[], int]
    pids: Sequence[int]
    folder: Path


@dataclass(frozen=True)
class Measured:
    spans: int
    megabytes: float
    acknowledged_per_s: float
    stored_per_s: float
    refused: int
    peak_rss_mib: int
    disk_mb: float

    @property
    def line(self) -> str:
        return (
            f"{self.spans} spans ({self.megabytes:.0f} MB): {self.acknowledged_per_s:.0f} acknowledged/s, "
            f"{self.stored_per_s:.0f} stored/s, {self.refused} refusals, peak {self.peak_rss_mib} MiB, "
            f"{self.disk_mb:.1f} MB on disk"
        )


def main() -> None:
    results = Results("otlp")
    with tempfile.TemporaryDirectory(prefix="otlp-bench-") as folder, hub.fresh_hub() as home:
        files = list(written(Path(folder), SESSIONS))
        with hub_target(home) as target:
            own = measured(target, files)
        results.add("hub", own.line, **vars(own))
        try:
            with phoenix() as peer:
                other = measured(
                    Target(f"{peer.address}/v1/traces", {}, peer.stored, peer.pids, peer.folder), files
                )
        except MissingDataError as error:
            print(f"  phoenix: SKIPPED, {error}", file=sys.stderr)
        else:
            results.add("phoenix", other.line, **vars(other))
            compare(results, own, other)
    results.write()


def compare(results: Results, own: Measured, other: Measured) -> None:
    durable = own.acknowledged_per_s / other.stored_per_s
    rows = own.stored_per_s / other.stored_per_s
    line = (
        f"durably acknowledged × {durable:.1f} (target 10 {'met' if durable >= 10 else 'MISSED'}), redacted "
        f"rows × {rows:.1f} (target 5 {'met' if rows >= 5 else 'MISSED'}), memory × "
        f"{own.peak_rss_mib / other.peak_rss_mib:.2f}, disk × {own.disk_mb / other.disk_mb:.2f}"
    )
    results.add("ratio", line, durable=durable, rows=rows)


def written(folder: Path, sessions: int, *, seed: int = 7) -> Iterator[tuple[int, Path]]:
    """(spans, file) of exports made beforehand, so that making them takes nothing from the servers."""
    for number, (spans, body) in enumerate(bodies(sessions, seed=seed)):
        path = folder / f"{seed}-{number}.pb"
        path.write_bytes(body)
        yield spans, path


@contextmanager
def hub_target(home: Path) -> Iterator[Target]:
    """The hub's web and ingest processes on the database of this process."""
    from apps.lifecycle import processes
    from apps.traces.models import Span

    secret = _key()
    worker = processes.ingest()
    worker.start()
    try:
        with hub.web() as address:
            pids = [process.pid for process in psutil.Process().children()]
            headers = {"authorization": f"Bearer {secret}"}
            yield Target(f"http://{address}/v1/traces", headers, Span.objects.count, pids, home)
    finally:
        worker.ask_to_end()
        worker.end(time.monotonic() + 10)


def _key() -> str:
    from apps.accounts.models import User
    from apps.accounts.rights import Scope
    from apps.team.services import create_agent, create_api_key, create_workspace

    owner = User.objects.create_user("bench@localhost", None, name="Bench")
    workspace = create_workspace(name="Bench", owner=owner)
    agent = create_agent(workspace=workspace, name="bench", actor=owner)
    return create_api_key(workspace=workspace, name="b", scopes=[Scope.INGEST], actor=owner, agent=agent)[1]


def measured(target: Target, files: Sequence[tuple[int, Path]]) -> Measured:
    spans, size = sum(count for count, _ in files), sum(path.stat().st_size for _, path in files)
    before = target.stored()
    with peak_memory(target.pids) as peak:
        started = time.perf_counter()
        refused = asyncio.run(send(target, [path for _, path in files]))
        acknowledged_s = time.perf_counter() - started
        wait_until(lambda: target.stored() - before >= spans)
        stored_s = time.perf_counter() - started
    rates = spans / acknowledged_s, spans / stored_s
    return Measured(
        spans, size / 1e6, *rates, refused, round(peak() / 2**20), settled_size(target.folder) / 1e6
    )


def settled_size(folder: Path) -> int:
    """Bytes on disk once what was only passing through has gone; a file that is still written to counts."""
    size, before = size_of(folder), -1
    while size != before:
        time.sleep(SETTLE_S)
        size, before = size_of(folder), size
    return size


def size_of(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        with suppress(FileNotFoundError):
            total += path.stat().st_size if path.is_file() else 0
    return total


async def send(target: Target, files: Sequence[Path]) -> int:
    """Posts every file until it is acknowledged; returns how often the server asked to come again."""
    waiting: asyncio.Queue[Path] = asyncio.Queue()
    for path in files:
        waiting.put_nowait(path)
    headers = {"content-type": "application/x-protobuf", **target.headers}
    async with aiohttp.ClientSession(headers=headers) as session:
        return sum(await asyncio.gather(*(_client(session, target.url, waiting) for _ in range(CLIENTS))))


async def _client(session: aiohttp.ClientSession, url: str, waiting: asyncio.Queue[Path]) -> int:
    refused = 0
    while not waiting.empty():
        body = waiting.get_nowait().read_bytes()
        while (status := await _post(session, url, body)) != 200:
            if status not in (429, 503):
                raise RuntimeError(f"{url} answered {status}")
            refused += 1
            await asyncio.sleep(0.25)
    return refused


async def _post(session: aiohttp.ClientSession, url: str, body: bytes) -> int:
    async with session.post(url, data=body) as response:
        await response.read()
        return response.status


def wait_until(done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + GIVE_UP_S
    while not done():
        if time.monotonic() > deadline:
            raise TimeoutError("not all spans became rows")
        time.sleep(POLL_S)


@contextmanager
def peak_memory(pids: Sequence[int]) -> Iterator[Callable[[], int]]:
    """The most bytes that these processes and their children held together, sampled."""
    most, ended = 0, Event()

    def watch() -> None:
        nonlocal most
        while not ended.wait(0.1):
            most = max(most, resident(pids))

    thread = Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield lambda: most
    finally:
        ended.set()
        thread.join()


def resident(pids: Sequence[int]) -> int:
    total = 0
    for pid in pids:
        try:
            tree = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
            total += sum(process.memory_info().rss for process in tree)
        except psutil.NoSuchProcess:
            continue
    return total


if __name__ == "__main__":
    main()
