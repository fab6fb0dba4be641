from __future__ import annotations

from datetime import UTC, datetime

import pytest

from slmhub.demo.log import LoggedCall, generate

UNTIL = datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.fixture(scope="session")
def demo_log() -> list[LoggedCall]:
    """The default log."""
    return generate(calls=6000, seed=7, until=UNTIL)
