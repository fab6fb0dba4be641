"""OTLP exports as JSON documents, `{resourceSpans}` or `{resourceLogs}`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from slmhub.formats.records import Record, Reject

NAME = "otlp_json"
EXPECTED = "resourceSpans or resourceLogs"


def matches(row: Any) -> bool:
    return False


def records(row: Any) -> Iterator[Record | Reject]:
    yield from ()
