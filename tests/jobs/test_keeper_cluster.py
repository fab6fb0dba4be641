"""A real queue cluster: the watchdog notices when it hangs, and only then."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from django_q.tasks import async_task

from apps.jobs import keeper
from apps.jobs.keeper import Watchdog, heartbeat_file, restart_request
from apps.jobs.models import Queue
from tests import attached
from tests.servers import end, eventually
from tests.world import World

pytestmark = [
    pytest.mark.django_db(transaction=True, databases="__all__"),
    pytest.mark.slow,
    pytest.mark.production,
]
HUNG_AFTER_S = 6.0


@pytest.fixture
def cluster(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """One worker, so that it is the one that holds the queue's lock."""
    monkeypatch.setattr(keeper, "HUNG_AFTER_S", HUNG_AFTER_S)
    monkeypatch.setattr(keeper, "PING_EVERY_S", 1.0)
    process = attached.start("qcluster", environment={"Q_CLUSTER_NAME": "gpu", "HUB_GPU_WORKERS": "1"})
    yield
    end(process)
    heartbeat_file(Queue.GPU).unlink(missing_ok=True)
    restart_request(Queue.GPU).unlink(missing_ok=True)


def watch(dog: Watchdog, seconds: float) -> bool:
    """Whether the watchdog asks for a restart within so many seconds."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and not restart_request(Queue.GPU).exists():
        dog.look()
        time.sleep(0.2)
    return restart_request(Queue.GPU).exists()


def test_it_asks_for_the_restart_of_a_cluster_that_hangs(cluster: None, tmp_path: Path) -> None:
    file = tmp_path / "pid"
    async_task("tests.jobs.work.note_pid", str(file), q_options={"cluster": "gpu", "save": False})
    pid = int(eventually(lambda: file.exists() and file.read_text(), within=20))

    dog = Watchdog(Queue.GPU)
    assert not watch(dog, HUNG_AFTER_S + 2)
    assert heartbeat_file(Queue.GPU).exists()

    time.sleep(1)  # the worker is idle again, and waits with the queue's lock in its hand
    os.kill(pid, signal.SIGKILL)
    assert watch(dog, HUNG_AFTER_S + 4)
