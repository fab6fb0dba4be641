"""Server time of the list of calls on the tau corpus, by Django's test client: no network, no browser.

There is no peer.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any

from benchmarks.hub import fresh_hub, import_traces
from benchmarks.results import MissingDataError, Results, data, percentile, skipped

WARM, ROUNDS = 3, 40
DEEP = 3000


def main() -> None:
    try:
        corpus = data("traces/tau_openai_chat.jsonl.gz")
    except MissingDataError as error:
        skipped("pages", error)
        return
    results = Results("pages")
    with fresh_hub():
        import_traces(corpus, "tau")
        ask, pages = _pages()
        for name, query in pages.items():
            measure(results, name, partial(ask, query))
    results.write()


def _pages() -> tuple[Callable[[dict[str, str]], int], dict[str, dict[str, str]]]:
    """A function that fetches the list and returns its bytes, and the queries to fetch it with."""
    from django.test import Client
    from django.urls import reverse

    from apps.accounts.models import Agent, User
    from apps.core.keyset import paginate
    from apps.traces.models import Span

    agent = Agent.objects.select_related("workspace").get(slug="tau")
    client = Client()
    client.force_login(User.objects.get())
    url = reverse("traces:list", args=[agent.workspace.slug, agent.slug])

    def ask(query: dict[str, str]) -> int:
        response = client.get(url, query)
        if response.status_code != 200:
            raise RuntimeError(f"{url} with {query} answered {response.status_code}")
        return len(response.content)

    deep = paginate(Span.objects.filter(agent=agent), by="started_at", size=DEEP).older
    queries: dict[str, dict[str, str]] = {
        "first page": {},
        "filter by tool": {"action": "get_reservation_details"},
        "search": {"q": "refund"},
        f"page behind {DEEP} calls": {"cursor": deep},
    }
    return ask, queries


def measure(results: Results, name: str, ask: Callable[[], int]) -> None:
    size, spent = 0, []
    for _ in range(WARM + ROUNDS):
        started = time.perf_counter()
        size = ask()
        spent.append((time.perf_counter() - started) * 1000)
    figures: dict[str, Any] = {
        "p50_ms": round(percentile(spent[WARM:], 0.5), 1),
        "p95_ms": round(percentile(spent[WARM:], 0.95), 1),
        "first_ms": round(spent[0], 1),
        "bytes": size,
    }
    line = "p50 {p50_ms} ms, p95 {p95_ms} ms, first request {first_ms} ms, {bytes} bytes".format(**figures)
    results.add(name, line, **figures)


if __name__ == "__main__":
    main()
