"""`python -m tests.production`: the same tests on PostgreSQL and Redis, started here and thrown away."""

from __future__ import annotations

import contextlib
import sys
import tempfile
from pathlib import Path

from tests.profile import missing, postgres, redis
from tests.workers import homes, run

HERE = Path(__file__).parent
SELECTED = "not browser and (not slow or production)"


def tests_of_apps() -> list[Path]:
    """What touches storage, queues or events; the libraries do not know which profile they run in."""
    apps = sorted(path.parent.name for path in (HERE.parent / "apps").glob("*/apps.py"))
    return [path for name in [*apps, "test_access_table.py"] if (path := HERE / name).exists()]


def main(arguments: list[str]) -> int:
    if absent := missing():
        print(f"The production profile is NOT tested: {', '.join(absent)} missing.")
        return 0
    tests = arguments or [str(path) for path in tests_of_apps()]
    with tempfile.TemporaryDirectory(prefix="hub-tests-") as name, contextlib.ExitStack() as stack:
        folder = Path(name)
        # PostgreSQL runs as another user than root.
        folder.chmod(0o711)
        database = stack.enter_context(postgres(folder))
        for home in homes(folder):
            address = stack.enter_context(redis(home))
            (home / "redis").write_text(address)
        print(f"production profile: {database}", flush=True)
        environment = {"DATABASE_URL": database, "REDIS_URL": address}
        return run(folder, environment, ["-m", SELECTED, *tests])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
