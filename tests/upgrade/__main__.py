"""`python -m tests.upgrade`: a home of the version before is filled, opened by this one, and compared.

`fill HOME` only fills one, `check HOME` opens one that was filled before and changes it for good; without a
command both happen in a folder that is thrown away. DATABASE_URL and REDIS_URL choose the databases, as for
every hub; `--production` starts PostgreSQL and Redis for it.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.profile import missing, services
from tests.upgrade import old


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.upgrade", description=__doc__)
    parser.add_argument("command", nargs="?", choices=["fill", "check"])
    parser.add_argument("home", nargs="?", type=Path)
    parser.add_argument("--whole-tau", action="store_true", help="7,000 calls of tau instead of 30")
    parser.add_argument("--production", action="store_true", help="on PostgreSQL and Redis")
    options = parser.parse_args()
    if not old.is_here():
        print(f"The upgrade is NOT tested: commit {old.COMMIT} is not in this clone.")
        return 0
    with contextlib.ExitStack() as stack:
        if options.production:
            if missing():
                print(f"The upgrade is NOT tested: {', '.join(missing())} missing.")
                return 0
            os.environ.update(stack.enter_context(services()))
        home = options.home or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="hub-upgrade-")))
        started = time.monotonic()
        if options.command != "check":
            tau = [path for path in [old.TAU_WHOLE if options.whole_tau else old.TAU_SAMPLE] if path.exists()]
            old.fill(home.resolve(), tau=tau)
            print(f"filled by {old.COMMIT} in {time.monotonic() - started:.0f} s", flush=True)
        if options.command == "fill":
            return 0
        if options.command == "check" and not os.environ.get("DATABASE_URL"):
            old.settle(home.resolve())
        environment = {**os.environ, "HUB_HOME": str(home.resolve()), "HUB_LOG_LEVEL": "ERROR"}
        check = [sys.executable, "-m", "tests.upgrade.check"]
        return subprocess.run(check, cwd=old.ROOT, env=environment).returncode


if __name__ == "__main__":
    sys.exit(main())
