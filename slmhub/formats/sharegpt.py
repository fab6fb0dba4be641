"""ShareGPT conversations."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from slmhub.formats.records import Record, Reject

NAME = "sharegpt"
EXPECTED = "conversations with from and value"


def matches(row: Any) -> bool:
    return False


def records(row: Any) -> Iterator[Record | Reject]:
    yield from ()
