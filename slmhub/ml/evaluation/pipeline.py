"""Rows of answers → report: scores of every system and the gate's verdict on one of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from slmhub.ml.evaluation.gate import Gate, GateError, Pair, gate
from slmhub.ml.evaluation.match import compare
from slmhub.ml.evaluation.metrics import ScoredRow, Slice, SystemMetrics, slices, system_metrics


class EvaluationError(ValueError):
    """The rows cannot be evaluated; the message says which and why."""


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """`metrics` is keyed by system, and by the roles `candidate` and `baseline` as well."""

    n: int
    candidate: str
    baseline: str
    metrics: dict[str, SystemMetrics]
    slices: dict[str, dict[str, Slice]]
    gate: Gate


def evaluate(
    rows: Iterable[Mapping[str, Any]], *, candidate: str, baseline: str, margin: float = 0.05, seed: int = 0
) -> Report:
    """`rows`: `{id, session, expected, answers: {system: message or text}, tools?}`; see DESIGN.md section 2.

    A system without an answer on a row is wrong there. Raises EvaluationError.
    """
    given = list(rows)
    for number, row in enumerate(given, start=1):
        _check_row(number, row)
    systems = sorted({system for row in given for system in row["answers"]})
    for role, system in (("candidate", candidate), ("baseline", baseline)):
        if system not in systems:
            raise EvaluationError(f"no row holds an answer of the {role} {system!r}; there are: {systems}")
    scored = [_score(number, row, systems) for number, row in enumerate(given, start=1)]
    metrics = {system: system_metrics(scored, system) for system in systems}
    return Report(
        n=len(scored),
        candidate=candidate,
        baseline=baseline,
        metrics={"candidate": metrics[candidate], "baseline": metrics[baseline], **metrics},
        slices=slices(scored, candidate=candidate, baseline=baseline),
        gate=_judge(scored, candidate=candidate, baseline=baseline, margin=margin, seed=seed).rounded(),
    )


def _check_row(number: int, row: object) -> None:
    if not isinstance(row, Mapping):
        raise EvaluationError(f"row {number}: not an object")
    if not isinstance(row.get("answers"), Mapping) or not row["answers"]:
        raise EvaluationError(f"row {number}: answers must be an object of system → answer")
    if not isinstance(row.get("expected"), Mapping | str):
        raise EvaluationError(f"row {number}: expected must be an assistant message or a text")
    if not isinstance(row.get("tools") or [], list):
        raise EvaluationError(f"row {number}: tools must be a list")


def _score(number: int, row: Mapping[str, Any], systems: Sequence[str]) -> ScoredRow:
    answers, tools = row["answers"], row.get("tools") or []
    session = row.get("session")
    return ScoredRow(
        id=str(row.get("id", number)),
        session=f"row {number}" if session is None else f"session {session}",
        expected=row["expected"],
        results={system: compare(row["expected"], answers.get(system), tools) for system in systems},
        answered=frozenset(system for system in systems if answers.get(system) is not None),
    )


def _judge(rows: Sequence[ScoredRow], *, candidate: str, baseline: str, margin: float, seed: int) -> Gate:
    pairs = [Pair(row.results[candidate].match, row.results[baseline].match, row.session) for row in rows]
    try:
        return gate(pairs, margin=margin, seed=seed)
    except GateError as error:
        raise EvaluationError(str(error)) from error
