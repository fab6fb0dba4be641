"""OpenAI batch files: the input line and the output line of one `custom_id` make one call."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from slmhub.formats.records import Record, Reject

NAME = "openai_batch"
EXPECTED = "custom_id with body or response"


def matches(row: Any) -> bool:
    return False


def records(row: Any) -> Iterator[Record | Reject]:
    yield from ()
