"""What happens to conversions."""

from __future__ import annotations

from apps.events.facts import Fact, Page, Tone


class ConversionFact(Fact):
    """`name` is that of the task or, where the agent as a whole is driven, of the agent."""

    conversion: int
    name: str
    task: int | None = None

    page = Page("discovery:list")

    def what(self) -> str:
        return self.name


class ConversionStarted(ConversionFact):
    type = "conversion.started"
    verb = "started to convert"


class ConversionDone(ConversionFact):
    type = "conversion.done"
    verb = "has done what it can for"


class ConversionStopped(ConversionFact):
    type = "conversion.stopped"
    verb = "stopped converting"
    tone = Tone.WARN

    reason: str = ""

    def detail(self) -> str:
        return self.reason
