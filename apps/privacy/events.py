"""What people do with findings and originals."""

from __future__ import annotations

from apps.events.facts import Fact, Page, Tone


class FindingDecided(Fact):
    """`ids` holds the first few of the findings."""

    type = "finding.decided"
    verb = "decided"
    page = Page("privacy:findings", of_agent=False)

    decision: str
    findings: int
    ids: list[int]

    def what(self) -> str:
        return f"{self.findings:,} findings"

    def detail(self) -> str:
        return self.decision


class OriginalRevealed(Fact):
    type = "original.revealed"
    verb = "read the original behind"
    tone = Tone.WARN

    finding: int
    surrogate: str
    content: int

    def what(self) -> str:
        return self.surrogate
