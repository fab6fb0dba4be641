"""Langfuse's legacy ingestion: `{batch: [{id, timestamp, type, body}]}`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from slmhub.formats.records import Record, Reject

NAME = "langfuse_ingestion"
EXPECTED = "batch of events with type and body"


def matches(row: Any) -> bool:
    return False


def records(row: Any) -> Iterator[Record | Reject]:
    yield from ()
