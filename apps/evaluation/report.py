"""What an evaluation run reports, as its row keeps it."""

from __future__ import annotations

import msgspec

from slmhub.ml.evaluation import Gate, Slice, SystemMetrics


class Latency(msgspec.Struct, frozen=True):
    """Milliseconds."""

    p50: float
    p95: float


class TeacherAnswers(msgspec.Struct, frozen=True, kw_only=True):
    """How many of the teacher's answers were given anew, and how many are those that it gave before."""

    asked: int = 0
    recorded: int = 0


class RunReport(msgspec.Struct, frozen=True, kw_only=True):
    """A library's `Report` and how it came about; empty, without a `gate`, until the run has ended."""

    n: int = 0
    candidate: str = ""
    baseline: str = ""
    metrics: dict[str, SystemMetrics] = {}
    slices: dict[str, dict[str, Slice]] = {}
    gate: Gate | None = None
    latency: dict[str, Latency | None] = {}
    teacher: TeacherAnswers = TeacherAnswers()
