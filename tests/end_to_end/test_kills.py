"""kill -9 at a real hub, in both profiles: everything comes back by itself, and nothing is left behind."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.end_to_end.hub import ROOT, Hub, running_hub
from tests.profile import missing, services
from tests.servers import answers, eventually, gone

pytestmark = pytest.mark.slow
MARK = "HUB_KILL_TEST"
READY_WITHIN_S = 40
BACK_WITHIN_S = 10
GONE_WITHIN_S = 12
CHILDREN = ["web", "worker-default", "worker-gpu", "specialists", "keeper", "ingest"]


@contextlib.contextmanager
def marked_hub(home: Path, **variables: str) -> Iterator[Hub]:
    """A hub whose every process carries a mark in its environment."""
    mark = uuid.uuid4().hex
    started = time.monotonic()
    try:
        with running_hub(home, "hub", **{MARK: mark, **variables}) as hub:
            print(f"ready after {time.monotonic() - started:.1f} s")
            assert time.monotonic() - started < READY_WITHIN_S
            yield hub
    finally:
        for process in marked(mark):
            process.kill()


def marked(mark: str) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            if process.environ().get(MARK) == mark and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


@pytest.fixture(scope="module", params=["embedded", "production"])
def hub(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    home = tmp_path_factory.mktemp("hub")
    with contextlib.ExitStack() as stack:
        variables: dict[str, str] = {"DATABASE_URL": "", "REDIS_URL": ""}
        if request.param == "production":
            if absent := missing():
                pytest.skip(f"{', '.join(absent)} missing")
            variables = stack.enter_context(services())
        yield stack.enter_context(marked_hub(home, **variables))


def in_hub(hub: Hub, *arguments: str) -> str:
    command = [sys.executable, "-m", "tests.end_to_end.jobs_in_hub", *arguments]
    done = subprocess.run(command, cwd=ROOT, env=hub.environment, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def enqueue(hub: Hub, entry: str, queue: str, **arguments: Any) -> str:
    return in_hub(hub, "enqueue", entry, queue, json.dumps(arguments))


def look(hub: Hub, job: str) -> dict[str, Any]:
    return json.loads(in_hub(hub, "look", job))


def lines(file: Path) -> list[str]:
    return file.read_text().splitlines() if file.exists() else []


def back(hub: Hub, name: str, killed: int) -> float:
    """Seconds until everything runs again, `name` under another process id."""
    started = time.monotonic()

    def looks_well() -> bool:
        child = hub.processes().get(name, {})
        return child.get("state") == "running" and child["pid"] != killed and hub.get("/readyz")[0] == 200

    eventually(looks_well, within=BACK_WITHIN_S)
    return time.monotonic() - started


@pytest.mark.parametrize("name", CHILDREN)
def test_whatever_is_killed_comes_back(hub: Hub, name: str) -> None:
    pid = hub.processes()[name]["pid"]
    inner = [process.pid for process in psutil.Process(pid).children(recursive=True)]
    os.kill(pid, signal.SIGKILL)

    print(f"{name} back after {back(hub, name, pid):.1f} s")
    assert all(gone(one) for one in inner)


def test_the_specialist_server_answers_again(hub: Hub) -> None:
    """It takes its time: it loads the tensors anew."""
    eventually(lambda: answers(f"http://127.0.0.1:{hub.port + 1}/healthz"), within=25)


def test_a_killed_cluster_comes_back_without_its_old_workers(hub: Hub) -> None:
    leader = hub.processes()["worker-default"]["pid"]
    (main,) = psutil.Process(leader).children()
    eventually(lambda: len(main.children(recursive=True)) >= 4)  # sentinel, monitor, pusher, workers
    workers = [process.pid for process in main.children(recursive=True)]
    main.kill()

    back(hub, "worker-default", leader)
    assert all(gone(pid) for pid in workers)


def test_jobs_whose_workers_are_killed_are_finished_by_another_attempt(hub: Hub, tmp_path: Path) -> None:
    """One that computes itself, and one that sees to a child, as training does."""
    plain = enqueue(hub, "slow_at_first", "default", folder=str(tmp_path))
    parent = enqueue(hub, "child_of_attempt", "gpu", folder=str(tmp_path))
    (first,) = eventually(lambda: lines(tmp_path / "trail"), within=15)
    child = int(eventually(lambda: lines(tmp_path / "child-1"), within=15)[0])
    worker = psutil.Process(child).parent()
    assert worker is not None

    killed_at = time.monotonic()
    os.kill(int(first.split()[-1]), signal.SIGKILL)
    worker.kill()
    eventually(lambda: gone(child), within=2)
    eventually(lambda: len(lines(tmp_path / "trail")) == 2 and lines(tmp_path / "child-2"), within=28)
    print(f"second attempts after {time.monotonic() - killed_at:.1f} s")

    for job, result in ((plain, {"by": 2}), (parent, {"code": 0})):
        ended = eventually(lambda job=job: (row := look(hub, job))["state"] == "succeeded" and row, within=10)
        assert ended == {"state": "succeeded", "attempt": 2, "result": result, "error": ""}


def test_sigterm_in_the_middle_of_work_leaves_nothing_behind(hub: Hub, tmp_path: Path) -> None:
    """The last test of the hub."""
    enqueue(hub, "family", "default", folder=str(tmp_path))
    eventually(lambda: lines(tmp_path / "grandchild"), within=15)
    mark = hub.environment[MARK]
    before = len(marked(mark))

    asked_at = time.monotonic()
    hub.process.send_signal(signal.SIGTERM)
    assert hub.process.wait(GONE_WITHIN_S) == 0
    eventually(lambda: not marked(mark), within=GONE_WITHIN_S - (time.monotonic() - asked_at))
    print(f"{before} processes gone after {time.monotonic() - asked_at:.1f} s")
    assert before >= 10


def test_a_killed_supervisor_leaves_nothing_behind(tmp_path: Path) -> None:
    home, work = tmp_path / "home", tmp_path / "work"
    (home / "run").mkdir(parents=True)
    (home / "run" / "restart-web").touch()  # left from before: restarts nothing
    work.mkdir()
    with marked_hub(home, DATABASE_URL="", REDIS_URL="") as hub:
        assert hub.processes()["web"]["restarts"] == 0
        enqueue(hub, "family", "default", folder=str(work))
        eventually(lambda: lines(work / "grandchild"), within=15)
        killed_at = time.monotonic()
        hub.process.kill()
        hub.process.wait()

        eventually(lambda: not marked(hub.environment[MARK]), within=GONE_WITHIN_S)
        print(f"gone after {time.monotonic() - killed_at:.1f} s")
