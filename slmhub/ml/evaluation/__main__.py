"""Scores systems on held-out calls and judges a candidate against a baseline."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import msgspec

from slmhub.ml.evaluation.pipeline import EvaluationError, Report, evaluate

USAGE_ERROR = 2


def read_rows(lines: IO[str]) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise EvaluationError(f"line {number}: not JSON ({error})") from error
        if not isinstance(row, dict):
            raise EvaluationError(f"line {number}: not a JSON object")
        yield row


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m slmhub.ml.evaluation", description=__doc__)
    parser.add_argument("predictions", help="a JSON lines file, or - for standard input")
    parser.add_argument("--candidate", default="specialist")
    parser.add_argument("--baseline", default="teacher")
    parser.add_argument("--margin", type=float, default=0.05)
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def run(options: argparse.Namespace, lines: IO[str]) -> Report:
    return evaluate(
        read_rows(lines),
        candidate=options.candidate,
        baseline=options.baseline,
        margin=options.margin,
        seed=options.seed,
    )


def main() -> int:
    options = arguments()
    try:
        if options.predictions == "-":
            report = run(options, sys.stdin)
        else:
            with Path(options.predictions).open(encoding="utf-8") as lines:
                report = run(options, lines)
    except (EvaluationError, OSError, UnicodeDecodeError) as error:
        print(json.dumps({"error": str(error)}), file=sys.stderr)
        return USAGE_ERROR
    print(msgspec.json.encode(report).decode())
    return 0


if __name__ == "__main__":
    sys.exit(main())
