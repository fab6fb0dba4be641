"""Arize Phoenix on SQLite, in a virtual environment of its own (`make bench-peers`)."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.hub import free_port
from benchmarks.results import MissingDataError

PYTHON = Path(os.environ.get("PHOENIX_PYTHON", Path(__file__).parents[1] / ".venv-phoenix/bin/python"))


class Phoenix:
    """A running server: where to post, its process and its folder."""

    def __init__(self, port: int, folder: Path, process: subprocess.Popen[bytes]) -> None:
        self.address = f"http://127.0.0.1:{port}"
        self.folder = folder
        self.pids = [process.pid]

    def stored(self) -> int:
        """Spans in committed rows."""
        database = self.folder / "phoenix.db"
        with contextlib.closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
            return int(connection.execute("select count(*) from spans").fetchone()[0])


@contextlib.contextmanager
def phoenix() -> Iterator[Phoenix]:
    """Raises MissingDataError where it is not installed."""
    if not PYTHON.exists():
        raise MissingDataError(f"{PYTHON} is not here; run `make bench-peers`")
    port, grpc = free_port(), free_port()
    with tempfile.TemporaryDirectory(prefix="phoenix-bench-") as folder:
        settings = {
            "PHOENIX_WORKING_DIR": folder,
            "PHOENIX_PORT": str(port),
            "PHOENIX_GRPC_PORT": str(grpc),
            "PHOENIX_HOST": "127.0.0.1",
            "PHOENIX_TELEMETRY_ENABLED": "false",
        }
        command = [str(PYTHON), "-m", "phoenix.server.main", "serve"]
        log = Path(folder) / "log"
        with log.open("wb") as output:
            process = subprocess.Popen(command, env={**os.environ, **settings}, stdout=output, stderr=output)
        try:
            _wait(port, process, log)
            yield Phoenix(port, Path(folder), process)
        finally:
            process.terminate()
            process.wait(20)


def _wait(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    import time

    from apps.lifecycle.processes import answers

    deadline = time.monotonic() + 90
    while not answers(f"http://127.0.0.1:{port}/healthz"):
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"Phoenix did not start: {log.read_text()[-2000:]}")
        time.sleep(0.3)
