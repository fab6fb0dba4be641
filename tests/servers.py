"""Real servers for tests: each a process of its own, ended with everything it started."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import psutil

from tests import attached
from tests.profile import free_port


def eventually(look: Callable[[], Any], *, within: float = 10, every: float = 0.05) -> Any:
    """What `look` returns as soon as it is true; fails after `within` seconds."""
    deadline = time.monotonic() + within
    while not (found := look()):
        if time.monotonic() > deadline:
            raise AssertionError(f"still not so after {within} s: {look}")
        time.sleep(every)
    return found


def answers(url: str) -> bool:
    """Whether a server is there, whatever it says."""
    try:
        with urllib.request.urlopen(url, timeout=2):
            return True
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False


def gone(pid: int) -> bool:
    """Whether the process runs no more; where nobody reaps orphans they stay as zombies."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def end(process: subprocess.Popen[str]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(10)


@contextlib.contextmanager
def web(**environment: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """The hub's web process on the test databases: its address and the process."""
    port = str(free_port())
    options = ["--port", port, "--ws", "websockets-sansio", "--log-level", "warning"]
    process = attached.start("uvicorn", "slmhub.asgi:application", *options, environment=environment)
    try:
        eventually(lambda: answers(f"http://127.0.0.1:{port}/v1/models"), within=30)
        yield f"127.0.0.1:{port}", process
    finally:
        end(process)


@contextlib.contextmanager
def demo_teacher() -> Iterator[str]:
    """The demo's simulated teacher: its base URL."""
    port = str(free_port())
    command = [
        sys.executable,
        "-m",
        "slmhub.demo.teacher",
        "--port",
        port,
        "--latency",
        "0",
        "--error-rate",
        "0",
    ]
    process = subprocess.Popen(command, start_new_session=True, text=True)
    try:
        eventually(lambda: answers(f"http://127.0.0.1:{port}/healthz"), within=20)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        end(process)
