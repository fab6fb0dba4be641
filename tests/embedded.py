"""`python -m tests.embedded`: all tests, on SQLite and without a server."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.workers import run

EMBEDDED = {"DATABASE_URL": "", "REDIS_URL": ""}


def main(arguments: list[str]) -> int:
    with tempfile.TemporaryDirectory(prefix="hub-tests-") as folder:
        return run(Path(folder), EMBEDDED, arguments or ["tests"])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
