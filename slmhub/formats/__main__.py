"""`python -m slmhub.formats [--format auto] FILE…`: any wire format in, one span a line out."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from typing import BinaryIO

import msgspec

from slmhub.formats.reader import read
from slmhub.formats.records import Record, Reject, SpanKind
from slmhub.formats.registry import AUTO, FORMATS


def main(arguments: list[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    counts: Counter[str] = Counter(read=0, spans=0, calls=0, rejected=0)
    for name in options.files or ["-"]:
        _convert(name, options.format, counts)
    sys.stdout.buffer.flush()
    sys.stderr.write(msgspec.json.encode(dict(counts)).decode() + "\n")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m slmhub.formats", description=__doc__)
    parser.add_argument("--format", default=AUTO, choices=[AUTO, *(known.name for known in FORMATS)])
    parser.add_argument("files", nargs="*", metavar="FILE", help="plain or gzip; - is standard input")
    return parser


def _convert(name: str, format: str, counts: Counter[str]) -> None:
    source: str | BinaryIO = sys.stdin.buffer if name == "-" else name
    try:
        for item in read(source, format):
            counts["read"] += 1
            _write(name, item, counts)
    except OSError as error:
        counts["rejected"] += 1
        sys.stderr.write(f"{name}: {error.strerror}\n")


def _write(name: str, item: Record | Reject, counts: Counter[str]) -> None:
    if isinstance(item, Reject):
        counts["rejected"] += 1
        sys.stderr.write(f"{name}:{item.line}: {item.reason}\n")
        return
    counts["spans"] += 1
    counts["calls"] += item.kind is SpanKind.LLM
    sys.stdout.buffer.write(msgspec.json.encode(item) + b"\n")


if __name__ == "__main__":
    raise SystemExit(main())
