"""Whether a task is worth converting now, in words."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from apps.discovery.models import Task
from apps.discovery.selectors import PURE, routing_of
from apps.traces.models import Audience
from slmhub.ml.evaluation import rows_needed

HELD_OUT = 0.3
MARGIN = 0.05
# Shares of held-out calls on which teacher and specialist are assumed to disagree.
LOW_DISCORDANCE, HIGH_DISCORDANCE = 0.05, 0.10


class Level(StrEnum):
    """The worst that stands in the way; the value picks the pill's tone."""

    READY = "ready"
    FEW_CALLS = "partial"
    NOT_ROUTABLE = "needs_review"
    HUMAN = "off"
    GONE = "expired"


LABELS = {
    Level.READY: "Ready",
    Level.FEW_CALLS: "Few calls",
    Level.NOT_ROUTABLE: "Not routable",
    Level.HUMAN: "Read by people",
    Level.GONE: "Not found again",
}


@dataclass(frozen=True)
class Check:
    passed: bool
    text: str


@dataclass(frozen=True)
class Readiness:
    level: Level
    checks: tuple[Check, ...]

    @property
    def label(self) -> str:
        return LABELS[self.level]

    @property
    def reason(self) -> str:
        """The first thing that stands in the way, or that nothing does."""
        return next((check.text for check in self.checks if not check.passed), self.checks[0].text)


def calls_needed(discordance: float) -> int:
    """Calls of which the held-out share gives the gate enough rows."""
    return math.ceil(rows_needed(margin=MARGIN, discordance=discordance) / HELD_OUT)


def readiness(family: Sequence[Task]) -> Readiness:
    """Of a task with what was merged into it."""
    task, size = family[0], sum(member.size for member in family)
    keys = routing_of(family)
    known = sum(use.calls for use in keys.values())
    routable = sum(use.calls for use in keys.values() if use.purity >= PURE)
    checks = (_audience(task), _routable(routable, known), _enough(size))
    if not size:
        return Readiness(Level.GONE, (Check(False, "The last run found no calls of it."), *checks))
    return Readiness(_level(checks), checks)


def _level(checks: Sequence[Check]) -> Level:
    levels = (Level.HUMAN, Level.NOT_ROUTABLE, Level.FEW_CALLS)
    failed = (level for level, check in zip(levels, checks, strict=True) if not check.passed)
    return next(failed, Level.READY)


def _audience(task: Task) -> Check:
    if task.audience == Audience.MACHINE:
        return Check(True, "A program reads the answers, so they can be checked one by one.")
    return Check(False, "People read the answers; convert the machine-facing tasks first.")


def _routable(routable: int, calls: int) -> Check:
    if routable and routable == calls:
        return Check(True, "The gateway can tell these calls from all others before they are answered.")
    if routable:
        share = routable / calls
        return Check(True, f"The gateway can tell {share:.0%} of these calls from all others beforehand.")
    return Check(
        False,
        "Other tasks start from the same prompt and step, so the gateway cannot tell their calls apart.",
    )


def _enough(size: int) -> Check:
    low, high = calls_needed(LOW_DISCORDANCE), calls_needed(HIGH_DISCORDANCE)
    if size >= high:
        return Check(True, f"{size:,} calls are enough for the gate ({high:,} even at 10 % disagreement).")
    if size >= low:
        return Check(
            True, f"{size:,} calls are enough if models disagree on 5 % (at 10 % it takes {high:,})."
        )
    return Check(
        False, f"{size:,} calls; the gate needs about {low:,} (5 % disagreement) to {high:,} (10 %)."
    )
