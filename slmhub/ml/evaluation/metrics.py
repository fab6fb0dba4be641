"""What each system got right: overall, by kind of error, by field and by slice."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import msgspec
from msgspec.structs import asdict

from slmhub.ml.evaluation.answers import read_answer
from slmhub.ml.evaluation.match import Comparison

LENGTH_BUCKETS = ((100, "under 100"), (400, "100-399"), (1600, "400-1599"))
LONGEST_BUCKET = "1600 and more"


@dataclass(frozen=True)
class ScoredRow:
    """One held-out call; `results` has every system, also one that gave no answer."""

    id: str
    session: str
    expected: object
    results: Mapping[str, Comparison]
    answered: frozenset[str]


class Shares(msgspec.Struct, frozen=True, kw_only=True):
    """Of `n` calls, which share was answered exactly, alike enough, and in a valid form."""

    n: int
    exact: float
    match: float
    valid: float


class FieldAccuracy(msgspec.Struct, frozen=True):
    """Of the calls whose expected answer holds a field, how many got it right."""

    n: int
    correct: int
    accuracy: float


class SystemMetrics(Shares, frozen=True, kw_only=True):
    system: str = ""
    answered: int = 0
    errors: dict[str, int] = {}
    fields: dict[str, FieldAccuracy] = {}


class Slice(msgspec.Struct, frozen=True, kw_only=True):
    """One part of the calls; `b` and `c` as in `Gate`."""

    n: int
    b: int
    c: int
    difference: float
    systems: dict[str, Shares]


def system_metrics(rows: Sequence[ScoredRow], system: str) -> SystemMetrics:
    results = [row.results[system] for row in rows]
    errors = Counter(error.value for result in results for error in result.errors)
    return SystemMetrics(
        system=system,
        answered=sum(system in row.answered for row in rows),
        **asdict(shares(results)),
        errors=dict(errors.most_common()),
        fields=field_accuracy(results),
    )


def shares(results: Sequence[Comparison]) -> Shares:
    n = len(results)
    return Shares(
        n=n,
        exact=round(sum(result.exact for result in results) / n, 6),
        match=round(sum(result.match for result in results) / n, 6),
        valid=round(sum(result.valid for result in results) / n, 6),
    )


def field_accuracy(results: Iterable[Comparison]) -> dict[str, FieldAccuracy]:
    seen: Counter[str] = Counter()
    right: Counter[str] = Counter()
    for result in results:
        seen.update(result.fields.keys())
        right.update(name for name, ok in result.fields.items() if ok)
    return {
        name: FieldAccuracy(n, right[name], round(right[name] / n, 6)) for name, n in sorted(seen.items())
    }


def slices(rows: Sequence[ScoredRow], *, candidate: str, baseline: str) -> dict[str, dict[str, Slice]]:
    """By kind of action, by tool and by length of the expected answer."""
    groups: dict[str, dict[str, list[ScoredRow]]] = {
        "action": defaultdict(list),
        "tool": defaultdict(list),
        "length": defaultdict(list),
    }
    for row in rows:
        for dimension, value in _slice_values(row):
            groups[dimension][value].append(row)
    return {
        dimension: {
            value: _slice(members, candidate=candidate, baseline=baseline)
            for value, members in sorted(values.items())
        }
        for dimension, values in groups.items()
    }


def _slice_values(row: ScoredRow) -> list[tuple[str, str]]:
    answer = read_answer(row.expected)
    length = len(answer.text) + sum(len(call.raw) for call in answer.calls)
    bucket = next((name for limit, name in LENGTH_BUCKETS if length < limit), LONGEST_BUCKET)
    tools = sorted({call.name for call in answer.calls})
    return [("action", answer.kind), ("length", bucket), *(("tool", name) for name in tools)]


def _slice(rows: Sequence[ScoredRow], *, candidate: str, baseline: str) -> Slice:
    pairs = [(row.results[candidate].match, row.results[baseline].match) for row in rows]
    b = sum(ours and not theirs for ours, theirs in pairs)
    c = sum(theirs and not ours for ours, theirs in pairs)
    systems = {system: shares([row.results[system] for row in rows]) for system in rows[0].results}
    return Slice(n=len(rows), b=b, c=c, difference=round((b - c) / len(rows), 6), systems=systems)
