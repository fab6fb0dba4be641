"""A kind of event for tests of the log itself."""

from __future__ import annotations

from apps.events.facts import Fact


class Ticked(Fact):
    type = "test.ticked"
    verb = "ticked"

    writer: int = 0
    count: int = 0
    sent_at: float = 0.0
    text: str = ""
