"""LangSmith runs: `{post, patch}` batches, query results, and single runs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from slmhub.formats.records import Record, Reject

NAME = "langsmith_runs"
EXPECTED = "runs with run_type, or post and patch"


def matches(row: Any) -> bool:
    return False


def records(row: Any) -> Iterator[Record | Reject]:
    yield from ()
