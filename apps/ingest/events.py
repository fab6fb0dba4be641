"""What ingest tells: that calls were stored."""

from __future__ import annotations

from datetime import timedelta

from msgspec import UNSET, UnsetType

from apps.events.facts import Fact, Page


class TracesIngested(Fact):
    """Calls of an hour. `completed` ones were known already and got what was missing."""

    type = "traces.ingested"
    verb = "stored"
    page = Page("traces:list")
    coalesce = timedelta(hours=1)
    adds = ("accepted", "completed")

    accepted: int
    source: str
    completed: int | UnsetType = UNSET

    def what(self) -> str:
        return f"{self.accepted:,} calls"
