"""JavaScript spans as the Vercel AI SDK's tests and consoles print them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from slmhub.formats.records import Record, Reject

NAME = "vercel_spans"
EXPECTED = "name, spanContext and attributes"


def matches(row: Any) -> bool:
    return False


def records(row: Any) -> Iterator[Record | Reject]:
    yield from ()
