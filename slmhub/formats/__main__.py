"""`python -m slmhub.formats [--format auto] FILE…`: any wire format in, one span a line out."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from typing import BinaryIO

import msgspec

from slmhub.formats.merge import MOST_HELD, demote_wrappers, hand_down_sessions, joined
from slmhub.formats.reader import read
from slmhub.formats.records import Record, Reject, SpanKind
from slmhub.formats.registry import AUTO, FORMATS

# Their spans may come in parts, or stand around other model spans; every other record is whole.
_IN_PARTS = frozenset((
    "openai_batch", "otel_genai", "otel_genai_events", "openinference", "traceloop", "vercel_ai", "langfuse",
    "langfuse_ingestion", "langfuse_export", "langsmith", "langsmith_runs", "otlp",
))  # fmt: skip


class Output:
    """Writes spans to standard output; what may come in parts waits, at most `MOST_HELD` records."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter(read=0, spans=0, calls=0, rejected=0)
        self.held: list[Record] = []
        self.unread = 0

    def take(self, name: str, item: Record | Reject) -> None:
        self.counts["read"] += 1
        if isinstance(item, Reject):
            self.refuse(f"{name}:{item.line}: {item.reason}")
        elif item.partial or item.format in _IN_PARTS:
            self.held.append(item)
            if len(self.held) >= MOST_HELD:
                self.flush()
        else:
            self._write(item)

    def refuse(self, complaint: str) -> None:
        self.counts["rejected"] += 1
        sys.stderr.write(complaint + "\n")

    def flush(self) -> None:
        whole = [item for item in joined(self.held) if isinstance(item, Record)]
        demote_wrappers(whole)
        hand_down_sessions(whole)
        for record in whole:
            self._write(record)
        self.held = []

    def _write(self, record: Record) -> None:
        self.counts["spans"] += 1
        self.counts["calls"] += record.kind is SpanKind.LLM
        sys.stdout.buffer.write(msgspec.json.encode(record) + b"\n")


def main(arguments: list[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    output = Output()
    for name in options.files or ["-"]:
        _convert(name, options.format, output)
    output.flush()
    sys.stdout.buffer.flush()
    sys.stderr.write(msgspec.json.encode(dict(output.counts)).decode() + "\n")
    return 1 if output.unread else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m slmhub.formats", description=__doc__)
    parser.add_argument("--format", default=AUTO, choices=[AUTO, *(known.name for known in FORMATS)])
    parser.add_argument(
        "files", nargs="*", metavar="FILE", help="plain, gzip, zstd or zip; - is standard input"
    )
    return parser


def _convert(name: str, format: str, output: Output) -> None:
    source: str | BinaryIO = sys.stdin.buffer if name == "-" else name
    try:
        for item in read(source, format):
            output.take(name, item)
    except OSError as error:
        output.refuse(f"{name}: {error.strerror}")
        output.unread += 1


if __name__ == "__main__":
    raise SystemExit(main())
