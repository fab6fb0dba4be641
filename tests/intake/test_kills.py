"""kill -9 at any moment, and more than the hub can take: what was acknowledged is there, once."""

from __future__ import annotations

import contextlib
import random
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from apps.spool.reader import backlog
from apps.traces.models import Span
from tests import attached
from tests.intake.load import Load
from tests.intake.sender import Sender, environment, serving
from tests.profile import free_port
from tests.servers import answers, end, eventually
from tests.world import World

pytestmark = [
    pytest.mark.django_db(transaction=True, databases="__all__"),
    pytest.mark.slow,
    pytest.mark.production,
]
KILLS = 20
LONGEST_S = 60


class Processes:
    """One web and one ingest process that come back after a kill, the web on its old port."""

    def __init__(self, home: Path) -> None:
        self.environment = environment(home)
        self.port = str(free_port())
        self.web = self._web()
        self.ingest = self._ingest()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def _web(self) -> subprocess.Popen[str]:
        options = ["--port", self.port, "--ws", "websockets-sansio", "--log-level", "warning"]
        return attached.start("uvicorn", "slmhub.asgi:application", *options, environment=self.environment)

    def _ingest(self) -> subprocess.Popen[str]:
        return attached.start("ingest_spool", environment=self.environment)

    def wait(self) -> None:
        eventually(lambda: answers(f"http://{self.address}/api/public/health"), within=30)

    def kill_web(self) -> None:
        end(self.web)
        self.web = self._web()

    def kill_ingest(self) -> None:
        end(self.ingest)
        self.ingest = self._ingest()


@contextlib.contextmanager
def running(home: Path) -> Iterator[Processes]:
    processes = Processes(home)
    try:
        processes.wait()
        yield processes
    finally:
        end(processes.web)
        end(processes.ingest)


def stored_ids() -> Counter[str]:
    return Counter(Span.objects.values_list("span_id", flat=True))


def test_kills_at_random_moments_lose_nothing_and_double_nothing(world: World, tmp_path: Path) -> None:
    with running(tmp_path) as processes:
        sender = Sender.build(world, processes.address, tmp_path)
        load = Load(f"{sender.url}/v1/traces", sender.secret, pause_s=0.02)
        load.start(3)
        kills, started = 0, time.monotonic()
        while kills < KILLS and time.monotonic() - started < LONGEST_S:
            time.sleep(random.uniform(0, 2))
            processes.kill_ingest()
            processes.kill_web()
            kills += 2
            # Before every next kill something was taken, so that each has something to lose.
            taken = len(load.acknowledged)
            eventually(lambda taken=taken: len(load.acknowledged) > taken, within=30)
        load.stop()
        eventually(lambda: backlog(sender.spool).bytes_waiting == 0, within=60, every=0.2)

    stored = stored_ids()
    print(f"{kills} kills in {time.monotonic() - started:.0f} s, {len(load.acknowledged)} acknowledged, "
          f"{len(load.sent)} sent, {len(stored)} stored, answers {dict(load.answers)}")  # fmt: skip
    assert kills >= 8
    assert load.acknowledged - set(stored) == set()
    assert set(stored) <= load.sent
    assert set(stored.values()) == {1}
    assert backlog(sender.spool).refused == backlog(sender.spool).damaged == 0


def test_a_flood_is_asked_to_wait_and_costs_no_memory(world: World, tmp_path: Path) -> None:
    """Far more than the ingest process can store, by senders that do not wait."""
    limits = {"HUB_SPOOL_MB": "6", "HUB_INTAKE_MEMORY_MB": "8"}
    with serving(tmp_path, **limits) as (address, web):
        ingest = attached.start("ingest_spool", environment=environment(tmp_path))
        try:
            sender = Sender.build(world, address, tmp_path)
            before = psutil.Process(web.pid).memory_info().rss
            load = Load(f"{sender.url}/v1/traces", sender.secret, spans=10, size=30_000)
            load.start(6)
            most, until, started = before, time.monotonic() + 12, time.monotonic()
            while time.monotonic() < until:
                most = max(most, psutil.Process(web.pid).memory_info().rss)
                time.sleep(0.1)
            drained = Span.objects.count()
            load.stop()
            flooded = time.monotonic() - started
            eventually(lambda: backlog(sender.spool).bytes_waiting == 0, within=120, every=0.2)
        finally:
            end(ingest)

    stored = stored_ids()
    offered = 10 * sum(load.answers.values())
    print(f"{offered} spans offered in {flooded:.0f} s, {drained} stored meanwhile, {dict(load.answers)}; "
          f"web grew by {(most - before) / 1024**2:.0f} MiB")  # fmt: skip
    assert load.answers[429] > 0
    assert set(load.answers) <= {200, 429}
    assert offered > 10 * drained
    assert most - before < 150 * 1024**2
    assert load.acknowledged - set(stored) == set()
    assert set(stored.values()) == {1}
