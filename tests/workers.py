"""Runs pytest with two workers, each with a home, databases and a Redis of its own.

Nothing is migrated there: the databases are copies of one that was (`template.py`). Which tests stay together
on one worker, and which begin, is said in `lanes.py`.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WORKERS = 2
TEMPLATE = "HUB_TEST_TEMPLATE"


def homes(folder: Path) -> list[Path]:
    """One below `folder` for each worker."""
    made = [folder / f"worker-{number}" for number in range(WORKERS)]
    for home in made:
        home.mkdir(exist_ok=True)
    return made


def run(folder: Path, environment: Mapping[str, str], arguments: Sequence[str]) -> int:
    """The exit code of pytest. A file `redis` in a worker's home holds the address of its Redis."""
    template = {"HUB_HOME": str(folder / "template"), TEMPLATE: str(folder / "template")}
    environment = {**os.environ, **environment, **template}
    subprocess.run([sys.executable, "-m", "tests.template"], cwd=ROOT, env=environment, check=True)
    options = [
        "--dist=loadscope",
        "--no-loadscope-reorder",
        *(f"--tx={_worker(home)}" for home in homes(folder)),
    ]
    command = [sys.executable, "-m", "pytest", *options, *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment).returncode


def _worker(home: Path) -> str:
    variables = [f"env:HUB_HOME={home}"]
    # By a file: an address has slashes, and two of them separate these words.
    if (home / "redis").exists():
        variables.append(f"env:REDIS_URL_FILE={home / 'redis'}")
    return "//".join(["popen", *variables])
