"""A real hub: `manage.py demo` in a folder of its own, on free ports."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.profile import free_port

ROOT = Path(__file__).resolve().parent.parent.parent


@dataclass(frozen=True)
class Hub:
    home: Path
    port: int
    process: subprocess.Popen[bytes]
    environment: dict[str, str]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def get(self, path: str) -> tuple[int, Any]:
        try:
            with urllib.request.urlopen(self.url + path, timeout=5) as response:
                return response.status, json.loads(response.read())
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read())
        except OSError:
            return 0, {}

    def processes(self) -> dict[str, Any]:
        found: dict[str, Any] = self.get("/healthz")[1].get("processes", {})
        return found

    def wait_until_ready(self, within_s: float = 60) -> float:
        """Seconds until `/readyz` answered 200."""
        start = time.monotonic()
        while self.get("/readyz")[0] != 200:
            assert time.monotonic() - start < within_s, f"not ready: {self.get('/readyz')}"
            assert self.process.poll() is None, "the hub has ended"
            time.sleep(0.1)
        return time.monotonic() - start

    def manage(self, *arguments: str, timeout: float = 600) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=timeout,
        )


def free_ports(count: int) -> int:
    """The first of `count` consecutive free ports."""
    import socket

    while True:
        first = free_port()
        with contextlib.ExitStack() as stack:
            try:
                for port in range(first, first + count):
                    stack.enter_context(socket.socket()).bind(("127.0.0.1", port))
            except (OSError, OverflowError):
                continue
            return first


@contextlib.contextmanager
def running_hub(home: Path, *command: str, **variables: str) -> Iterator[Hub]:
    """Runs `manage.py <command>` (`demo` unless told) for the length of a block."""
    port = free_ports(3)
    environment = {**os.environ, "HUB_HOME": str(home), "PORT": str(port), **variables}
    environment.pop("DJANGO_SETTINGS_MODULE", None)
    with (home / "hub.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "manage.py", *(command or ("demo",))],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        hub = Hub(home, port, process, environment)
        try:
            hub.wait_until_ready()
            yield hub
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
