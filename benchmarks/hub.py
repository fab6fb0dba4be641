"""A hub in a folder that goes away: the embedded profile, its web process, its simulated teacher."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
# A benchmark never writes to the databases that somebody works with.
NOT_OURS = ("DATABASE_URL", "REDIS_URL", "DJANGO_SETTINGS_MODULE", "HUB_MASTER_KEY", "HUB_SECRET_KEY")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def fresh_hub() -> Iterator[Path]:
    """A migrated, empty hub that this process and its children use. Once per process."""
    with tempfile.TemporaryDirectory(prefix="hub-bench-") as folder:
        for name in NOT_OURS:
            os.environ.pop(name, None)
        os.environ |= {"HUB_HOME": folder, "DJANGO_SETTINGS_MODULE": "slmhub.settings"}
        import django

        django.setup()
        from django.db import connections

        from apps.lifecycle.processes import migrate_all

        migrate_all()
        connections.close_all()
        yield Path(folder)
        connections.close_all()


@contextlib.contextmanager
def web() -> Iterator[str]:
    """The hub's web process, as `manage.py hub` starts it: its host and port."""
    from apps.lifecycle import processes

    port = free_port()
    with processes.borrowed([processes.web("127.0.0.1", port)], [f"http://127.0.0.1:{port}/accounts/login/"]):
        yield f"127.0.0.1:{port}"


@contextlib.contextmanager
def teacher() -> Iterator[str]:
    """The demo's simulated teacher without its pauses and mistakes: its base URL."""
    from apps.lifecycle import processes
    from slmhub.supervision.children import Child

    port = str(free_port())
    options = ["--port", port, "--latency", "0", "--error-rate", "0"]
    child = Child("teacher", [sys.executable, "-m", "slmhub.demo.teacher", *options])
    with processes.borrowed([child], [f"http://127.0.0.1:{port}/healthz"]):
        yield f"http://127.0.0.1:{port}/v1"


def import_traces(path: Path, agent: str) -> dict[str, Any]:
    """The summary of `manage.py import_traces`, with `wall_s`, `cpu_s` and `peak_rss_mib` of its process."""
    command = [sys.executable, "manage.py", "import_traces", str(path), "--agent", agent]
    started = time.perf_counter()
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    said = process.stdout.read() if process.stdout else ""
    # Not RUSAGE_CHILDREN: its peak would be that of whichever child was largest.
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"import_traces ended with {process.returncode}: {said}")
    return {
        **json.loads(said),
        "wall_s": round(time.perf_counter() - started, 2),
        "cpu_s": round(usage.ru_utime + usage.ru_stime, 2),
        "peak_rss_mib": round(usage.ru_maxrss / 1024),
    }
