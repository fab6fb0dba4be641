"""Exports of Langfuse: a trace with its observations, or observations one by one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from slmhub.formats.records import Record, Reject

NAME = "langfuse_export"
EXPECTED = "trace and observations"


def matches(row: Any) -> bool:
    return False


def records(row: Any) -> Iterator[Record | Reject]:
    yield from ()
