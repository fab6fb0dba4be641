"""OpenAI preference lines (DPO), in both spellings of their keys."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from slmhub.formats.records import Record, Reject

NAME = "openai_dpo"
EXPECTED = "input with preferred and non-preferred output"


def matches(row: Any) -> bool:
    return False


def records(row: Any) -> Iterator[Record | Reject]:
    yield from ()
