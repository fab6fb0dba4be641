"""The gate: is the specialist no worse than the LLM, on the same calls, by more than a margin?

Paired non-inferiority by Tango's score statistic (Statistics in Medicine 17, 1998, 891-908), which handles
zero cells and is McNemar's at margin 0. Calls of one session are not independent, so the lower bound must
also hold in a bootstrap over sessions.
"""

from __future__ import annotations

import math
import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import msgspec
from msgspec.structs import asdict, replace

Z_ALPHA = 1.959964  # one-sided 2.5 %
Z_POWER = 0.841621  # 80 %
MIN_DISCORDANCE = 0.025
BOOTSTRAP_ROUNDS = 2000
FEW_SESSIONS = 20
# Above this a bootstrap in pure Python takes seconds while the clustered standard error is as good.
MANY_SESSIONS = 2000
BISECTION_STEPS = 60


class Verdict(StrEnum):
    PASS = "pass"  # noqa: S105
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"


class GateError(ValueError):
    """The pairs or the margin cannot be judged."""


@dataclass(frozen=True)
class Pair:
    """One held-out call: was each system right on it."""

    candidate: bool
    baseline: bool
    session: str


class Gate(msgspec.Struct, frozen=True, kw_only=True):
    """`b`: candidate right and baseline wrong; `c` the reverse; bounds are two-sided 95 %.

    `z` is None where no number says how far beyond the margin it is.
    """

    verdict: Verdict
    z: float | None
    n: int
    b: int
    c: int
    margin: float
    difference: float
    lower_bound: float
    upper_bound: float
    rows_needed: int
    tango_lower_bound: float
    bootstrap_lower_bound: float
    sessions: int
    discordance: float
    notes: tuple[str, ...] = ()

    def rounded(self) -> Gate:
        numbers = {name: round(value, 6) for name, value in asdict(self).items() if isinstance(value, float)}
        return replace(self, **numbers)


def tango_z(*, b: int, c: int, n: int, margin: float) -> float:
    """Score statistic of H0: difference = -margin; large values speak for non-inferiority."""
    linear = -(b + c) - (2 * n - b + c) * margin
    constant = c * margin * (1 + margin)
    root = math.sqrt(max(linear * linear - 8 * n * constant, 0.0))
    q = (root - linear) / (4 * n)
    variance = n * (2 * q - margin * (1 + margin))
    distance = b - c + n * margin
    if variance <= 1e-12:
        return math.copysign(math.inf, distance) if abs(distance) > 1e-9 else 0.0
    return distance / math.sqrt(variance)


def tango_lower_bound(*, b: int, c: int, n: int) -> float:
    """The smallest difference that is not rejected at one-sided 2.5 %, by bisection."""
    low, high = -1.0, (b - c) / n
    for _ in range(BISECTION_STEPS):
        middle = (low + high) / 2
        if tango_z(b=b, c=c, n=n, margin=-middle) > Z_ALPHA:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def tango_upper_bound(*, b: int, c: int, n: int) -> float:
    return -tango_lower_bound(b=c, c=b, n=n)


def rows_needed(*, margin: float, discordance: float, difference: float = 0.0) -> int:
    """Rows for 80 % power when the true difference is `difference` (> -margin).

    Not fewer than without any discordant row: there z = sqrt(n * margin / (1 - margin)).
    """
    expected = max(discordance, MIN_DISCORDANCE, difference * difference)
    spread = expected - difference * difference
    by_power = (Z_ALPHA + Z_POWER) ** 2 * spread / (margin + difference) ** 2
    by_silence = Z_ALPHA**2 * (1 - margin) / margin
    return math.ceil(max(by_power, by_silence))


def bootstrap_lower_bound(pairs: Sequence[Pair], *, seed: int, rounds: int = BOOTSTRAP_ROUNDS) -> float:
    """2.5th percentile of the difference when whole sessions are drawn with replacement."""
    sessions = _session_sums(pairs)
    if len(sessions) > MANY_SESSIONS:
        return _clustered_lower_bound(sessions)
    draw = random.Random(seed)
    if not any(total for total, _ in sessions):
        return 0.0
    differences = sorted(_difference(draw.choices(sessions, k=len(sessions))) for _ in range(rounds))
    return differences[int(0.025 * rounds)]


def _session_sums(pairs: Sequence[Pair]) -> list[tuple[int, int]]:
    """(candidate right minus baseline right, calls) of each session."""
    sums: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for pair in pairs:
        sums[pair.session][0] += pair.candidate - pair.baseline
        sums[pair.session][1] += 1
    return [(total, calls) for total, calls in sums.values()]


def _difference(sessions: Sequence[tuple[int, int]]) -> float:
    return sum(total for total, _ in sessions) / sum(calls for _, calls in sessions)


def _clustered_lower_bound(sessions: Sequence[tuple[int, int]]) -> float:
    difference = _difference(sessions)
    calls = sum(count for _, count in sessions)
    squares = sum((total - difference * count) ** 2 for total, count in sessions)
    return difference - Z_ALPHA * math.sqrt(squares * len(sessions) / (len(sessions) - 1)) / calls


@dataclass(frozen=True)
class _Counts:
    n: int
    b: int
    c: int
    sessions: int

    @property
    def difference(self) -> float:
        return (self.b - self.c) / self.n

    @property
    def discordance(self) -> float:
        return (self.b + self.c) / self.n


@dataclass(frozen=True)
class _Bounds:
    tango: float
    bootstrap: float
    upper: float


def gate(pairs: Sequence[Pair], *, margin: float, seed: int = 0) -> Gate:
    """PASS iff z > 1.96 and both lower bounds lie above -margin.

    FAIL iff the upper bound lies below -margin, or enough rows were seen and the estimate is at or below it.
    Raises GateError.
    """
    if not pairs:
        raise GateError("there is no row that both systems were asked")
    if not 0 < margin < 1:
        raise GateError(f"the margin must lie between 0 and 1, not {margin}")
    counts = _count(pairs)
    n, b, c = counts.n, counts.b, counts.c
    bounds = _Bounds(
        tango=tango_lower_bound(b=b, c=c, n=n),
        bootstrap=bootstrap_lower_bound(pairs, seed=seed),
        upper=tango_upper_bound(b=b, c=c, n=n),
    )
    return _judged(counts, bounds, margin=margin)


def _count(pairs: Sequence[Pair]) -> _Counts:
    return _Counts(
        n=len(pairs),
        b=sum(pair.candidate and not pair.baseline for pair in pairs),
        c=sum(pair.baseline and not pair.candidate for pair in pairs),
        sessions=len({pair.session for pair in pairs}),
    )


def _judged(counts: _Counts, bounds: _Bounds, *, margin: float) -> Gate:
    verdict = _verdict(counts, bounds, margin=margin)
    z = tango_z(b=counts.b, c=counts.c, n=counts.n, margin=margin)
    if verdict is Verdict.INCONCLUSIVE:
        needed = _rows_still_needed(counts, bounds, margin=margin)
    else:
        needed = rows_needed(margin=margin, discordance=counts.discordance)
    return Gate(
        verdict=verdict,
        z=z if math.isfinite(z) else None,
        n=counts.n,
        b=counts.b,
        c=counts.c,
        margin=margin,
        difference=counts.difference,
        lower_bound=min(bounds.tango, bounds.bootstrap),
        upper_bound=bounds.upper,
        rows_needed=needed,
        tango_lower_bound=bounds.tango,
        bootstrap_lower_bound=bounds.bootstrap,
        sessions=counts.sessions,
        discordance=counts.discordance,
        notes=_notes(counts),
    )


def _verdict(counts: _Counts, bounds: _Bounds, *, margin: float) -> Verdict:
    z = tango_z(b=counts.b, c=counts.c, n=counts.n, margin=margin)
    if z > Z_ALPHA and min(bounds.tango, bounds.bootstrap) > -margin:
        return Verdict.PASS
    enough = counts.n >= rows_needed(margin=margin, discordance=counts.discordance)
    if bounds.upper < -margin or (enough and counts.difference <= -margin):
        return Verdict.FAIL
    return Verdict.INCONCLUSIVE


def _rows_still_needed(counts: _Counts, bounds: _Bounds, *, margin: float) -> int:
    """More than n: the power formula at what was seen, widened where sessions make rows less informative."""
    assumed = counts.difference if -margin / 2 < counts.difference < 0 else 0.0
    needed = rows_needed(margin=margin, discordance=counts.discordance, difference=assumed)
    width = max(counts.difference - bounds.tango, 1e-9)
    design_effect = max(1.0, (counts.difference - bounds.bootstrap) / width) ** 2
    return max(math.ceil(needed * design_effect), counts.n + 1)


def _notes(counts: _Counts) -> tuple[str, ...]:
    if counts.sessions < min(FEW_SESSIONS, counts.n):
        return (f"only {counts.sessions} sessions: the bound over sessions is rough",)
    return ()
