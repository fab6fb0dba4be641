"""`python -m benchmarks [NAME…]`: each benchmark in a process of its own, one after the other."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence

NAMES = ("redaction", "ingest", "pages", "gateway", "live", "otlp")
# Runs for ten minutes, so only when it is named.
LONG = ("soak",)


def main(names: Sequence[str]) -> int:
    known = (*NAMES, *LONG)
    unknown = sorted(set(names) - set(known))
    if unknown:
        print(f"no benchmark {', '.join(unknown)}; there are {', '.join(known)}", file=sys.stderr)
        return 2
    commands = [[sys.executable, "-m", f"benchmarks.{name}"] for name in names or NAMES]
    codes = [subprocess.run(command, check=False).returncode for command in commands]
    return int(any(codes))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
