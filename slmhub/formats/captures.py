"""Requests as a collector captured them: path, headers and body."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from slmhub.formats.records import Record, Reject

NAME = "captures"
EXPECTED = "path, headers and otlp_json or json of a captured request"


def matches(row: Any) -> bool:
    return False


def records(row: Any) -> Iterator[Record | Reject]:
    yield from ()
