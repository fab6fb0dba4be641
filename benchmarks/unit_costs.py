"""What one unit of work costs the hub in CPU time: `python benchmarks/unit_costs.py NAME CORPUS`.

Run as a file by `benchmarks.beside`, in a checkout of any version and with it as the import path, so it names
only what versions share. Prints `{what: microseconds of CPU time per unit}` of the hub's own processes alone:
neither the load nor what answers behind the gateway is counted.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import psutil

from benchmarks import gateway, hub, live, otlp, pages
from slmhub.demo.log import generate

LISTS_ASKED = 40
# Enough for the ten milliseconds in which the system counts CPU time.
REQUESTS = {1: 1500, 16: 2500, 64: 2500}
SOCKETS, PUBLISHED = 50, 2000
SESSIONS = 60

Costs = dict[str, float]


def cpu_s(processes: Sequence[psutil.Process]) -> float:
    """User and system time of these processes, all their threads included."""
    return sum(sum(process.cpu_times()[:2]) for process in processes)


def children(*named: str) -> list[psutil.Process]:
    """The processes of this one's hub whose command line holds one of these words."""
    found = psutil.Process().children(recursive=True)
    return [process for process in found if any(name in " ".join(process.cmdline()) for name in named)]


def spent(work: Callable[[], object], processes: Sequence[psutil.Process], units: int) -> float:
    before = cpu_s(processes)
    work()
    return (cpu_s(processes) - before) / units * 1e6


def measure_ingest_and_pages(corpus: Path) -> Costs:
    with hub.fresh_hub():
        report = hub.import_traces(corpus, "tau")
        costs = {"ingest, a call": report["cpu_s"] / report["read"] * 1e6}
        ask, queries = pages._pages()
        here = [psutil.Process()]
        for name, query in queries.items():
            for _ in range(pages.WARM):
                ask(query)
            costs[f"pages, {name}"] = spent(
                lambda query=query: [ask(query) for _ in range(LISTS_ASKED)], here, LISTS_ASKED
            )
    return costs


def measure_gateway(_: Path) -> Costs:
    from datetime import UTC, datetime

    bodies = [json.dumps(call.line["request"]).encode() for call in generate(200, 7, datetime.now(UTC))]
    costs: Costs = {}
    with hub.fresh_hub(), hub.teacher() as upstream:
        secret = gateway._agent_of(upstream)
        with hub.web() as address:
            web = children("uvicorn")

            async def load(clients: int, count: int) -> None:
                headers = {"authorization": f"Bearer {secret}", "content-type": "application/json"}
                async with gateway.aiohttp.ClientSession(headers=headers) as session:
                    await gateway.load(session, f"http://{address}/v1", bodies, (clients, count))

            asyncio.run(load(8, 200))
            for clients, count in REQUESTS.items():
                costs[f"gateway, a call of {clients} clients"] = spent(
                    lambda clients=clients, count=count: asyncio.run(load(clients, count)), web, count
                )
    return costs


def measure_live(_: Path) -> Costs:
    with hub.fresh_hub():
        workspace, cookie = live._member()
        with hub.web() as address:
            url = f"ws://{address}/ws/w/{workspace.slug}/events"
            headers = {"cookie": cookie, "origin": f"http://{address}"}
            live.PAUSES[SOCKETS] = 0.02
            heard = lambda: asyncio.run(live.measure(url, headers, workspace.pk, SOCKETS))  # noqa: E731
            delivered = spent(heard, children("uvicorn"), SOCKETS * live.EVENTS)
        from benchmarks import live_writer

        with contextlib.redirect_stdout(io.StringIO()):
            live_writer.main(workspace.pk, 20, 0.0)
            write = lambda: live_writer.main(workspace.pk, PUBLISHED, 0.0)  # noqa: E731
            published = spent(write, [psutil.Process()], PUBLISHED)
    return {"live, a message to a socket": delivered, "live, a published event": published}


def measure_otlp(_: Path) -> Costs:
    with tempfile.TemporaryDirectory(prefix="otlp-bench-") as folder, hub.fresh_hub() as home:
        warm = list(otlp.written(Path(folder), 4, seed=1))
        files = list(otlp.written(Path(folder), SESSIONS))
        with otlp.hub_target(home) as target:
            asyncio.run(otlp.send(target, [path for _, path in warm]))
            there = sum(count for count, _ in warm)
            otlp.wait_until(lambda: target.stored() >= there)
            spans = sum(count for count, _ in files)
            web, ingest = children("uvicorn"), children("ingest_spool")
            before = cpu_s(web), cpu_s(ingest)
            asyncio.run(otlp.send(target, [path for _, path in files]))
            otlp.wait_until(lambda: target.stored() >= there + spans)
            # The last transaction is committed; what follows it (offsets, events) belongs to it.
            time.sleep(1.0)
            after = cpu_s(web), cpu_s(ingest)
    acknowledged, stored = ((late - early) / spans * 1e6 for early, late in zip(before, after, strict=True))
    return {"otlp, a span acknowledged": acknowledged, "otlp, a span stored": stored}


MEASURES: dict[str, Callable[[Path], Costs]] = {
    "ingest": measure_ingest_and_pages,
    "gateway": measure_gateway,
    "live": measure_live,
    "otlp": measure_otlp,
}

if __name__ == "__main__":
    print(json.dumps(MEASURES[sys.argv[1]](Path(sys.argv[2]))))
