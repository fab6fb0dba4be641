"""Write the demo's log: `python -m slmhub.demo --calls 6000 --seed 7 --out demo.jsonl.gz`."""

from __future__ import annotations

import argparse
import gzip
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from slmhub.demo.log import generate
from slmhub.demo.messages import dumps


def write_lines(path: Path, rows: Iterable[dict[str, object]]) -> None:
    """JSON lines; gzipped (without a time stamp: equal rows, equal bytes) when the name ends in .gz."""
    data = "".join(dumps(row) + "\n" for row in rows).encode()
    path.write_bytes(gzip.compress(data, mtime=0) if path.suffix == ".gz" else data)


def main(argv: Sequence[str] | None = None) -> None:
    options = _parser().parse_args(argv)
    calls = generate(options.calls, options.seed, options.until)
    if options.out is None:
        sys.stdout.writelines(dumps(call.line) + "\n" for call in calls)
    else:
        write_lines(options.out, (call.line for call in calls))
    if options.truth is not None:
        write_lines(options.truth, (call.truth for call in calls))
    steps = Counter(call.truth["step"] for call in calls)
    sessions = len({call.line["session_id"] for call in calls})
    print(dumps({"calls": len(calls), "sessions": sessions, "steps": dict(steps)}), file=sys.stderr)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="slmhub.demo", description=__doc__)
    parser.add_argument("--calls", type=int, default=6000, help="at least so many; sessions are complete")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--until", type=_moment, default=datetime.now(UTC), help="ISO date, default now")
    parser.add_argument("--out", type=Path, help="FILE.jsonl or FILE.jsonl.gz; default standard output")
    parser.add_argument("--truth", type=Path, help="also write what the right answers and planted data are")
    return parser


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


if __name__ == "__main__":
    main()
