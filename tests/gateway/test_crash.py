"""kill -9 right after the answer: what a caller has got is stored, once."""

from __future__ import annotations

import contextlib
import os
import signal
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.gateway.desk import ASK, Desk
from tests.gateway.specialists import Upstream
from tests.servers import web
from tests.world import World

pytestmark = [
    pytest.mark.django_db(transaction=True, databases="__all__"),
    pytest.mark.slow,
    pytest.mark.production,
]


def test_a_killed_gateway_loses_no_answered_call(world: World, upstream: Upstream) -> None:
    with web() as (address, process):
        desk = Desk.build(world, address)
        desk.teacher(f"{upstream.url}/v1")
        answered: list[int] = []

        def ask(number: int) -> None:
            if len(answered) == 40:
                # Several callers may come here at once.
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process.pid, signal.SIGKILL)
            try:
                body = {
                    **ASK,
                    "messages": [*ASK["messages"], {"role": "user", "content": f"number {number}"}],
                }
                if desk.ask(body).status_code == 200:
                    answered.append(number)
            except httpx.HTTPError:
                return

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(ask, range(80)))
        process.wait(5)

    spans = desk.recorded()
    stored = {int(span.input_preview.removeprefix("number ")) for span in spans}
    assert 40 <= len(answered) < 80
    assert set(answered) <= stored
    assert len(stored) == len(spans)
    assert len(desk.recorded()) == len(spans)
