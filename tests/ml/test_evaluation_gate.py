from __future__ import annotations

import math
import random

import pytest

from slmhub.ml.evaluation.gate import (
    GateError,
    Pair,
    Verdict,
    bootstrap_lower_bound,
    gate,
    rows_needed,
    tango_lower_bound,
    tango_z,
)


def pairs(*, b: int, c: int, n: int, sessions: int | None = None) -> list[Pair]:
    outcomes = [(True, False)] * b + [(False, True)] * c + [(True, True)] * (n - b - c)
    return [Pair(ours, theirs, str(i % (sessions or n))) for i, (ours, theirs) in enumerate(outcomes)]


@pytest.mark.parametrize(
    ("b", "c", "n", "lower"),
    [
        (35, 40, 500, -0.0447),
        (60, 70, 1000, -0.0327),
        (0, 0, 200, -0.0188),
        (5, 12, 200, -0.0807),
        (30, 60, 1500, -0.0329),
    ],
)
def test_it_gives_tango_s_lower_bound(b: int, c: int, n: int, lower: float) -> None:
    assert tango_lower_bound(b=b, c=c, n=n) == pytest.approx(lower, abs=6e-5)


@pytest.mark.parametrize(
    ("b", "c", "n", "margin", "z"),
    [
        (35, 40, 500, 0.03, 1.145),
        (35, 40, 500, 0.05, 2.249),
        (60, 70, 1000, 0.03, 1.734),
        (30, 60, 1500, 0.05, 4.222),
    ],
)
def test_it_gives_tango_s_score(b: int, c: int, n: int, margin: float, z: float) -> None:
    assert tango_z(b=b, c=c, n=n, margin=margin) == pytest.approx(z, abs=6e-4)


def test_it_is_mcnemar_s_statistic_at_margin_zero() -> None:
    assert tango_z(b=30, c=12, n=100, margin=0.0) == pytest.approx((30 - 12) / 42**0.5)


@pytest.mark.parametrize(
    ("discordance", "margin", "rows"),
    [
        (0.05, 0.03, 436),
        (0.05, 0.05, 157),
        (0.10, 0.03, 872),
        (0.15, 0.05, 471),
        (0.20, 0.05, 628),
        (0.15, 0.02, 2943),
    ],
)
def test_it_says_how_many_rows_are_needed(discordance: float, margin: float, rows: int) -> None:
    assert abs(rows_needed(margin=margin, discordance=discordance) - rows) <= 1


def test_it_never_needs_fewer_rows_than_a_pass_without_any_disagreement() -> None:
    needed = rows_needed(margin=0.05, discordance=0.0)
    assert gate(pairs(b=0, c=0, n=needed + 1), margin=0.05).verdict is Verdict.PASS


def test_it_passes_a_specialist_that_is_as_good() -> None:
    result = gate(pairs(b=12, c=12, n=400), margin=0.05)
    assert result.verdict is Verdict.PASS
    assert result.lower_bound > -0.05


def test_it_fails_a_specialist_that_is_clearly_worse() -> None:
    result = gate(pairs(b=2, c=120, n=400), margin=0.05)
    assert result.verdict is Verdict.FAIL
    assert result.upper_bound < -0.05


def test_it_fails_when_enough_rows_put_the_estimate_at_the_margin() -> None:
    result = gate(pairs(b=5, c=45, n=800), margin=0.05)
    assert result.upper_bound > -0.05
    assert result.verdict is Verdict.FAIL


def test_it_is_inconclusive_on_few_rows_and_says_how_many_it_wants() -> None:
    result = gate(pairs(b=0, c=0, n=20), margin=0.05)
    assert result.verdict is Verdict.INCONCLUSIVE
    assert result.rows_needed > 20


def test_it_always_wants_more_rows_than_it_has_when_inconclusive() -> None:
    for b in range(0, 40, 3):
        for c in range(0, 60, 5):
            result = gate(pairs(b=b, c=c, n=300, sessions=1), margin=0.05)
            assert result.verdict is not Verdict.INCONCLUSIVE or result.rows_needed > 300


def test_it_does_not_pass_when_all_losses_sit_in_few_sessions() -> None:
    wins = [Pair(True, True, f"s{i // 10}") for i in range(390)]
    losses = [Pair(False, True, f"bad{i // 10}") for i in range(10)]
    result = gate(wins + losses, margin=0.05)
    spread = gate([Pair(p.candidate, p.baseline, str(i)) for i, p in enumerate(wins + losses)], margin=0.05)
    assert spread.verdict is Verdict.PASS
    assert result.bootstrap_lower_bound < result.tango_lower_bound
    assert result.verdict is Verdict.INCONCLUSIVE


def test_it_bootstraps_the_same_bound_for_the_same_seed() -> None:
    rows = pairs(b=10, c=20, n=300, sessions=60)
    assert bootstrap_lower_bound(rows, seed=1) == bootstrap_lower_bound(rows, seed=1)


def test_it_agrees_with_the_clustered_error_on_many_sessions() -> None:
    rows = pairs(b=60, c=90, n=2500)
    few = bootstrap_lower_bound([*rows[:1900]], seed=0)
    assert bootstrap_lower_bound(rows, seed=0) == pytest.approx(
        tango_lower_bound(b=60, c=90, n=2500), abs=0.002
    )
    assert few == pytest.approx(tango_lower_bound(b=60, c=90, n=1900), abs=0.003)


def trinomial(b: int, c: int, n: int, *, better: float, worse: float) -> float:
    """P(b, c) when each row is better, worse or neither with these probabilities."""
    counts, chances = (b, c, n - b - c), (better, worse, 1 - better - worse)
    ways = math.lgamma(n + 1) - sum(math.lgamma(count + 1) for count in counts)
    return math.exp(
        ways + sum(count * math.log(chance) for count, chance in zip(counts, chances, strict=True))
    )


@pytest.mark.parametrize("n", [100, 300, 600])
def test_it_lets_a_specialist_exactly_at_the_margin_pass_in_at_most_three_percent(n: int) -> None:
    false_pass = sum(
        trinomial(b, c, n, better=0.05, worse=0.10)
        for b in range(min(n, 90))
        for c in range(min(n - b, 150))
        if tango_z(b=b, c=c, n=n, margin=0.05) > 1.96
    )
    assert 0.015 < false_pass <= 0.03


def test_it_passes_a_specialist_at_the_margin_rarely_when_simulated_with_sessions() -> None:
    draw = random.Random(7)
    verdicts = [gate(at_the_margin(draw, sessions=30), margin=0.05).verdict for _ in range(100)]
    assert verdicts.count(Verdict.PASS) <= 7


def at_the_margin(draw: random.Random, *, sessions: int) -> list[Pair]:
    rows = []
    for session in range(sessions):
        roll = draw.random()
        outcome = (False, True) if roll < 0.10 else (True, False) if roll < 0.15 else (True, True)
        rows += [Pair(*outcome, str(session))] * 10
    return rows


@pytest.mark.parametrize("margin", [0.0, 1.0, -0.1])
def test_it_refuses_a_margin_that_means_nothing(margin: float) -> None:
    with pytest.raises(GateError, match="margin"):
        gate(pairs(b=0, c=0, n=5), margin=margin)


def test_it_refuses_no_rows() -> None:
    with pytest.raises(GateError, match="no row"):
        gate([], margin=0.05)
