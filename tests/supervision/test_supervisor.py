"""The supervisor over small commands: restarted when they die, ended together, never orphaned."""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.servers import eventually, gone

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[2]
# A child that notes every start, with a child of its own; $1 is the folder, $2 its name.
PARENT = """
import os, subprocess, sys, time
folder, name = sys.argv[1:]
inner = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(120)"])
with open(f"{folder}/{name}.starts", "a") as file:
    file.write(f"{os.getpid()} {inner.pid}\\n")
time.sleep(120)
"""
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + PARENT


class Running:
    """A supervisor in a process of its own."""

    def __init__(self, folder: Path, **children: str) -> None:
        self.folder = folder
        commands = {name: [sys.executable, "-c", code, str(folder), name] for name, code in children.items()}
        code = f"""
            import json, pathlib
            from slmhub.supervision.children import Child
            from slmhub.supervision.supervisor import Supervisor
            children = [Child(*entry) for entry in {list(commands.items())!r}]
            Supervisor(children, pathlib.Path({str(folder / "hub.json")!r})).run()
        """
        command = [sys.executable, "-c", textwrap.dedent(code)]
        self.process = subprocess.Popen(command, cwd=ROOT, start_new_session=True)

    def starts(self, name: str) -> list[list[int]]:
        """[leader, its child] of every start."""
        file = self.folder / f"{name}.starts"
        return (
            [[int(pid) for pid in line.split()] for line in file.read_text().splitlines()]
            if file.exists()
            else []
        )

    def started(self, name: str, times: int = 1) -> list[int]:
        return eventually(lambda: self.starts(name)[times - 1 :], within=10)[0]

    def pids(self) -> list[int]:
        return [
            pid for file in self.folder.glob("*.starts") for line in self.starts(file.stem) for pid in line
        ]

    def state(self) -> dict[str, Any]:
        return json.loads((self.folder / "hub.json").read_text())["processes"]


@pytest.fixture
def supervise(tmp_path: Path) -> Iterator[Any]:
    running: list[Running] = []

    def start(**children: str) -> Running:
        running.append(Running(tmp_path, **children))
        return running[-1]

    yield start
    for one in running:
        one.process.kill()
        for pid in one.pids():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue


def test_it_starts_everything_and_says_so(supervise: Any) -> None:
    hub = supervise(a=PARENT, b=PARENT)
    leaders = {name: hub.started(name)[0] for name in "ab"}

    eventually(lambda: {name: child["pid"] for name, child in hub.state().items()} == leaders, within=5)
    assert {child["state"] for child in hub.state().values()} == {"running"}


def test_what_is_killed_starts_again_and_its_children_go(supervise: Any) -> None:
    hub = supervise(a=PARENT, b=PARENT)
    leader, inner = hub.started("a")
    hub.started("b")
    os.kill(leader, signal.SIGKILL)

    assert hub.started("a", 2)[0] != leader
    eventually(lambda: gone(inner), within=2)
    assert len(hub.starts("b")) == 1
    eventually(lambda: hub.state()["a"]["restarts"] == 1, within=3)


def test_what_fails_at_once_is_started_less_and_less_often(supervise: Any) -> None:
    code = "import sys, time; open(f'{sys.argv[1]}/a.times', 'a').write(f'{time.time()}\\n')"
    hub = supervise(a=code)
    file = hub.folder / "a.times"
    eventually(lambda: file.exists() and len(file.read_text().split()) >= 4, within=15)

    times = [float(line) for line in file.read_text().split()]
    pauses = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert pauses[0] < pauses[1] < pauses[2]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_asked_to_end_it_ends_everything_soon(supervise: Any, number: int) -> None:
    hub = supervise(a=PARENT, b=PARENT)
    hub.started("a"), hub.started("b")

    asked_at = time.monotonic()
    hub.process.send_signal(number)
    assert hub.process.wait(5) == 0
    assert time.monotonic() - asked_at < 3
    eventually(lambda: all(gone(pid) for pid in hub.pids()), within=1)
    assert not (hub.folder / "hub.json").exists()


def test_what_does_not_listen_is_killed_after_the_grace(supervise: Any) -> None:
    hub = supervise(a=STUBBORN)
    hub.started("a")

    hub.process.terminate()
    assert hub.process.wait(12) == 0
    eventually(lambda: all(gone(pid) for pid in hub.pids()), within=1)


def test_when_it_is_killed_its_children_are_told(supervise: Any) -> None:
    hub = supervise(
        a=PARENT.replace("time.sleep(120)", "signal.pause()").replace("import os", "import signal, os")
    )
    leader, _ = hub.started("a")

    hub.process.kill()
    eventually(lambda: gone(leader), within=3)


def test_a_child_that_hangs_is_restarted_on_request(supervise: Any) -> None:
    hub = supervise(a=STUBBORN)
    first = hub.started("a")
    request = hub.folder / "restart-a"
    request.touch()

    second = hub.started("a", 2)
    assert second[0] != first[0]
    assert all(gone(pid) for pid in first)
    assert not request.exists()


def test_a_request_that_is_left_from_before_restarts_nothing(supervise: Any, tmp_path: Path) -> None:
    (tmp_path / "restart-a").touch()
    (tmp_path / "restart-nobody").touch()
    hub = supervise(a=PARENT)
    hub.started("a")
    time.sleep(1)

    assert len(hub.starts("a")) == 1
    assert not (tmp_path / "restart-a").exists()


# A child whose own child leads a session of its own, out of reach of a signal to the group.
RUNAWAY = PARENT.replace(
    '"import time; time.sleep(120)"]', '"import time; time.sleep(120)"], start_new_session=True'
)


def test_a_runaway_of_a_killed_child_is_ended(supervise: Any) -> None:
    hub = supervise(a=RUNAWAY)
    leader, runaway = hub.started("a")
    os.kill(leader, signal.SIGKILL)

    eventually(lambda: gone(runaway), within=2)


def test_no_runaway_outlives_the_hub(supervise: Any) -> None:
    hub = supervise(a=RUNAWAY)
    hub.started("a")
    hub.process.terminate()

    assert hub.process.wait(5) == 0
    assert all(gone(pid) for pid in hub.pids())


def leader(tmp_path: Path, code: str) -> subprocess.Popen[bytes]:
    command = [
        sys.executable,
        "-m",
        "slmhub.supervision.leader",
        sys.executable,
        "-c",
        code,
        str(tmp_path),
        "a",
    ]
    return subprocess.Popen(command, cwd=ROOT, start_new_session=True)


def started(tmp_path: Path) -> list[int]:
    file = tmp_path / "a.starts"
    line = eventually(lambda: file.exists() and file.read_text())
    return [int(pid) for pid in line.split()]


@pytest.mark.parametrize("code", [PARENT, RUNAWAY], ids=["group", "runaway"])
def test_a_leader_that_is_asked_ends_as_soon_as_its_command(tmp_path: Path, code: str) -> None:
    process = leader(tmp_path, code)
    pids = started(tmp_path)

    asked_at = time.monotonic()
    process.terminate()
    process.wait(5)
    assert time.monotonic() - asked_at < 2
    eventually(lambda: all(gone(pid) for pid in pids), within=1)


def test_a_leader_waits_no_longer_than_its_grace(tmp_path: Path) -> None:
    process = leader(tmp_path, STUBBORN)
    pids = started(tmp_path)

    asked_at = time.monotonic()
    process.terminate()
    process.wait(10)
    assert 5 < time.monotonic() - asked_at < 8
    eventually(lambda: all(gone(pid) for pid in pids), within=1)


@pytest.mark.parametrize("code", [PARENT, RUNAWAY], ids=["group", "runaway"])
def test_a_leader_goes_with_its_command_and_takes_the_rest_along(tmp_path: Path, code: str) -> None:
    process = leader(tmp_path, code)
    main, inner = started(tmp_path)
    psutil.Process(main).kill()

    process.wait(3)
    eventually(lambda: gone(inner), within=1)
