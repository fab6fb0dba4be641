"""`python -m tests.production`: the same tests on PostgreSQL and Redis, started here and thrown away."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.profile import missing, services

HERE = Path(__file__).parent


def tests_of_apps() -> list[Path]:
    """What touches storage, queues or events; the libraries do not know which profile they run in."""
    apps = sorted(path.parent.name for path in (HERE.parent / "apps").glob("*/apps.py"))
    return [path for name in [*apps, "test_access_table.py"] if (path := HERE / name).exists()]


def main(arguments: list[str]) -> int:
    if absent := missing():
        print(f"The production profile is NOT tested: {', '.join(absent)} missing.")
        return 0
    tests = arguments or [str(path) for path in tests_of_apps()]
    with services() as environment, tempfile.TemporaryDirectory(prefix="hub-home-") as home:
        print(f"production profile: {environment}", flush=True)
        command = [sys.executable, "-m", "pytest", "-m", "not browser and (not slow or production)", *tests]
        return subprocess.run(command, env={**os.environ, **environment, "HUB_HOME": home}).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
