"""The labelled corpora, read where they are there."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import orjson
import pytest

DATA = Path(__file__).parents[3] / "shared/data"
TAU = DATA / "traces/tau_openai_chat.jsonl.gz"
GOLD = DATA / "traces/tau_sessions_gold.jsonl.gz"

needs_data = pytest.mark.skipif(not GOLD.exists(), reason=f"{DATA} is not here")

# The labels of the corpora that patterns can find, as our entities.
LABELS = {
    "EMAIL": "EMAIL", "EMAIL_ADDRESS": "EMAIL", "CREDIT_CARD": "CREDIT_CARD", "IBAN_CODE": "IBAN",
    "US_SSN": "US_SSN", "SSN": "US_SSN", "PHONE_NUMBER": "PHONE", "PHONE": "PHONE",
    "IP_ADDRESS": "IP_ADDRESS",
}  # fmt: skip


def rows_of(path: Path) -> list[dict[str, Any]]:
    with gzip.open(path) as lines:
        return [orjson.loads(line) for line in lines]


def corpus(name: str) -> list[dict[str, Any]]:
    return rows_of(DATA / f"pii/{name}.jsonl.gz")
