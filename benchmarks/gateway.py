"""What the gateway adds to a call: the same requests to the hub and straight to its upstream, in turns.

The upstream is the demo's simulated teacher without latency, so the figures are the gateway's own cost. All
run on this machine and share its cores: upstream, hub and load generator.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import aiohttp
import orjson

from benchmarks import hub
from benchmarks.results import Results, percentile
from slmhub.demo.log import generate

# Clients and the requests of one round.
SIZES = {1: 150, 16: 500, 64: 800}
ROUNDS = 3
BODIES = 200


def main() -> None:
    results = Results("gateway")
    bodies = [orjson.dumps(call.line["request"]) for call in generate(BODIES, 7, datetime.now(UTC))]
    with hub.fresh_hub(), hub.teacher() as upstream:
        secret = _agent_of(upstream)
        with hub.web() as address:
            targets = {"upstream": upstream, "hub": f"http://{address}/v1"}
            asyncio.run(compare(results, targets, secret, bodies))
    results.write()


def _agent_of(upstream: str) -> str:
    """An agent with this teacher; returns the secret of its API key."""
    from apps.accounts.models import User
    from apps.accounts.rights import Scope
    from apps.registry.services import set_teacher
    from apps.team.services import create_agent, create_api_key, create_workspace

    owner = User.objects.create_user("bench@localhost", None, name="Bench")
    workspace = create_workspace(name="Bench", owner=owner)
    agent = create_agent(workspace=workspace, name="bench", actor=owner)
    set_teacher(agent=agent, name="Simulated teacher", base_url=upstream, simulated=True, actor=owner)
    options: dict[str, Any] = {"scopes": [Scope.INFER], "actor": owner, "agent": agent}
    return create_api_key(workspace=workspace, name="bench", **options)[1]


async def compare(results: Results, targets: dict[str, str], secret: str, bodies: Sequence[bytes]) -> None:
    headers = {"authorization": f"Bearer {secret}", "content-type": "application/json"}
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, headers=headers) as session:
        await check(session, targets, bodies[0])
        for clients, count in SIZES.items():
            spent: dict[str, list[float]] = {name: [] for name in targets}
            walls = dict.fromkeys(targets, 0.0)
            for url in targets.values():  # warm
                await load(session, url, bodies, (clients, clients * 4))
            # In turns, so that whatever else the machine does falls on both.
            for _ in range(ROUNDS):
                for name, url in targets.items():
                    started = time.perf_counter()
                    spent[name] += await load(session, url, bodies, (clients, count))
                    walls[name] += time.perf_counter() - started
            report(results, clients, spent, walls)


async def check(session: aiohttp.ClientSession, targets: dict[str, str], body: bytes) -> None:
    """Both ways give the same answer; else there is nothing to compare."""
    given = []
    for url in targets.values():
        async with session.post(f"{url}/chat/completions", data=body) as response:
            given.append((await response.json())["choices"])
    if given[0] != given[1]:
        raise RuntimeError(f"the hub and its upstream answer differently: {given}")


async def load(
    session: aiohttp.ClientSession, url: str, bodies: Sequence[bytes], size: tuple[int, int]
) -> list[float]:
    """Milliseconds of every call; `size`: clients, and calls of them all together."""
    clients, count = size
    numbers = iter(range(count))
    spent: list[float] = []

    async def client() -> None:
        for number in numbers:
            started = time.perf_counter()
            body = bodies[number % len(bodies)]
            async with session.post(f"{url}/chat/completions", data=body) as response:
                answer = await response.read()
                if response.status != 200:
                    raise RuntimeError(f"{url} answered {response.status}: {answer[:200]!r}")
            spent.append((time.perf_counter() - started) * 1000)

    await asyncio.gather(*(client() for _ in range(clients)))
    return spent


def report(results: Results, clients: int, spent: dict[str, list[float]], walls: dict[str, float]) -> None:
    medians = {name: percentile(values, 0.5) for name, values in spent.items()}
    tails = {name: percentile(values, 0.99) for name, values in spent.items()}
    rates = {name: len(values) / walls[name] for name, values in spent.items()}
    added = medians["hub"] - medians["upstream"]
    share = rates["hub"] / rates["upstream"]
    line = (
        f"+{added:.1f} ms median (hub {medians['hub']:.1f}, upstream {medians['upstream']:.1f}; "
        f"p99 {tails['hub']:.1f} and {tails['upstream']:.1f}), "
        f"{rates['hub']:.0f} requests/s beside {rates['upstream']:.0f} (x {share:.2f})"
    )
    figures = {"median_ms": medians, "p99_ms": tails, "requests_per_s": rates}
    results.add(f"{clients} clients", line, added_median_ms=added, rate_ratio=share, **figures)


if __name__ == "__main__":
    main()
