"""Reading evaluations: the verdict in words, tables, and what was answered otherwise than expected."""

from __future__ import annotations

import contextlib
import json
import math
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet

from apps.accounts.models import Agent
from apps.datasets.models import Example, Split
from apps.evaluation.models import Answer, EvaluationRun, System, Verdict
from apps.evaluation.report import Latency
from apps.jobs.models import State
from slmhub.formats.tool_calls import ToolCall, tool_calls_of
from slmhub.ml.evaluation import SystemMetrics, compare

Z_95 = 1.959964
ROWS_A_PAGE = 10
ORDER = (System.BASE, System.TEACHER, System.SPECIALIST)


def runs_of(agent: Agent) -> QuerySet[EvaluationRun]:
    related = ("specialist__task", "specialist__base", "dataset__task", "job", "started_by")
    return agent.evaluation_runs.select_related(*related)


@dataclass(frozen=True)
class Score:
    """One system's row; `low` and `high` bound its match rate (95 %)."""

    system: System
    n: int
    exact: float
    match: float
    valid: float
    low: float
    high: float
    latency: Latency | None

    @property
    def is_teacher(self) -> bool:
        return self.system == System.TEACHER


def scores(run: EvaluationRun) -> list[Score]:
    metrics, latency = run.report.metrics, run.report.latency
    return [_score(system, metrics[system], latency.get(system)) for system in ORDER if system in metrics]


def _score(system: System, metric: SystemMetrics, latency: Latency | None) -> Score:
    low, high = wilson(round(metric.match * metric.n), metric.n)
    return Score(
        system=system,
        n=metric.n,
        exact=metric.exact,
        match=metric.match,
        valid=metric.valid,
        low=low,
        high=high,
        latency=latency,
    )


def wilson(right: int, n: int) -> tuple[float, float]:
    """95 % score interval of a share (Wilson, JASA 22, 1927, 209-212)."""
    share, z2 = right / n, Z_95**2
    centre = share + z2 / (2 * n)
    spread = Z_95 * math.sqrt(share * (1 - share) / n + z2 / (4 * n * n))
    return max(0.0, (centre - spread) / (1 + z2 / n)), min(1.0, (centre + spread) / (1 + z2 / n))


@dataclass(frozen=True)
class Ruling:
    """The gate's verdict in words; `more` is how many further rows an inconclusive one wants."""

    verdict: Verdict
    headline: str
    why: str
    more: int
    # So far below the teacher that more calls alone would hardly turn it into a pass.
    is_behind: bool

    @property
    def is_fail(self) -> bool:
        return self.verdict == Verdict.FAIL

    @property
    def is_inconclusive(self) -> bool:
        return self.verdict == Verdict.INCONCLUSIVE


def ruling(run: EvaluationRun) -> Ruling | None:
    gate = run.report.gate
    if gate is None:
        return None
    verdict, margin = Verdict(run.verdict), f"{run.margin * 100:g} points"
    difference = _points(gate.difference)
    low, high = _points(gate.lower_bound), _points(gate.upper_bound)
    headline, why = {
        Verdict.PASS: (
            "The specialist is as good as the teacher",
            f"Measured {difference} against the teacher, and with 95 % confidence no less than {low}: within "
            f"the margin of {margin}.",
        ),
        Verdict.FAIL: (
            "The specialist is worse than the teacher",
            f"Measured {difference} against the teacher, between {low} and {high}: "
            f"beyond the margin of {margin}.",
        ),
        Verdict.INCONCLUSIVE: (
            "Not enough held-out calls to tell",
            f"Measured {difference} against the teacher, but it could be as little as {low}, beyond "
            f"the margin of {margin}. {gate.n:,} compared; about {gate.rows_needed:,} are needed.",
        ),
    }[verdict]
    more = max(0, gate.rows_needed - gate.n) if verdict == Verdict.INCONCLUSIVE else 0
    return Ruling(
        verdict=verdict,
        headline=headline,
        why=why,
        more=more,
        is_behind=gate.difference <= -run.margin / 2,
    )


def _points(share: float) -> str:
    return f"{share * 100:+.1f} points".replace("-", "−")


def error_rows(run: EvaluationRun) -> list[tuple[str, list[int]]]:
    """(kind of error, its count in each system), the most frequent first."""
    found = [metrics.errors for metrics in _in_order(run)]
    kinds = sorted(
        {kind for errors in found for kind in errors}, key=lambda k: -sum(e.get(k, 0) for e in found)
    )
    return [(kind.replace("_", " "), [errors.get(kind, 0) for errors in found]) for kind in kinds]


def field_rows(run: EvaluationRun) -> list[tuple[str, int, list[float | None]]]:
    """(field, rows that hold it, accuracy of each system)."""
    found = [metrics.fields for metrics in _in_order(run)]
    rows = []
    for name in sorted({name for fields in found for name in fields}):
        measured = [fields.get(name) for fields in found]
        held = max(field.n for field in measured if field)
        rows.append((name, held, [field.accuracy if field else None for field in measured]))
    return rows


def _in_order(run: EvaluationRun) -> list[SystemMetrics]:
    missing = SystemMetrics(n=0, exact=0, match=0, valid=0)
    return [run.report.metrics.get(system, missing) for system in ORDER]


def slice_rows(run: EvaluationRun) -> list[tuple[str, str, int, list[float | None], float]]:
    """(dimension, value, rows, match of each system, specialist minus teacher) where there are several."""
    return [
        (
            dimension,
            value,
            part.n,
            [part.systems[system].match if system in part.systems else None for system in ORDER],
            part.difference,
        )
        for dimension, values in run.report.slices.items()
        if len(values) > 1
        for value, part in values.items()
    ]


@dataclass(frozen=True)
class Given:
    """What one system answered, as text; `answer` is None where it was not asked."""

    system: System
    answer: Answer | None
    text: str
    is_simulated: bool


@dataclass(frozen=True)
class Compared:
    """One held-out call with what was expected and what was answered."""

    example: Example
    expected: str
    answers: list[Given]
    fields: list[tuple[str, bool]]
    asked: str


@dataclass(frozen=True)
class ComparedPage:
    rows: list[Compared]
    number: int
    pages: int
    total: int


def compared(run: EvaluationRun, *, only_wrong: bool, page: int) -> ComparedPage:
    """Held-out calls in the order of the dataset, ten a page."""
    examples = run.dataset.examples.filter(split=Split.TEST).order_by("position")
    if only_wrong:
        wrong = run.answers.filter(system=System.SPECIALIST, correct=False)
        examples = examples.filter(pk__in=wrong.values("example_id"))
    total = examples.count()
    pages = max(1, -(-total // ROWS_A_PAGE))
    number = min(max(1, page), pages)
    shown = list(examples[(number - 1) * ROWS_A_PAGE : number * ROWS_A_PAGE])
    answers: dict[int, dict[str, Answer]] = defaultdict(dict)
    for answer in run.answers.filter(example__in=shown):
        answers[answer.example_id][answer.system] = answer
    rows = [_compared(run, example, answers[example.pk]) for example in shown]
    return ComparedPage(rows=rows, number=number, pages=pages, total=total)


def _compared(run: EvaluationRun, example: Example, answers: Mapping[str, Answer]) -> Compared:
    ours = answers.get(System.SPECIALIST)
    comparison = compare(example.expected, ours.message if ours else None, example.tools or ())
    others = (System.SPECIALIST, System.TEACHER, System.BASE)
    return Compared(
        example=example,
        expected=answer_text(example.expected),
        answers=[_given(run, system, answers.get(system)) for system in others],
        fields=sorted(comparison.fields.items()),
        asked=example.prompt,
    )


def _given(run: EvaluationRun, system: System, answer: Answer | None) -> Given:
    simulated = run.teacher_simulated and system == System.TEACHER
    return Given(system=system, answer=answer, text=_said(answer), is_simulated=simulated)


def _said(answer: Answer | None) -> str:
    if answer is None:
        return "not asked"
    return f"no answer: {answer.error}" if answer.message is None else answer_text(answer.message)


def answer_text(message: Any) -> str:
    """An assistant message as people read it: its text, then each tool call with its arguments."""
    if not isinstance(message, Mapping):
        return str(message)
    calls = [_call_text(call) for call in tool_calls_of(message)]
    content = message.get("content")
    text = content if isinstance(content, str) else json.dumps(content, ensure_ascii=False) if content else ""
    return "\n".join(part for part in (text, *calls) if part) or "(empty)"


def _call_text(call: ToolCall) -> str:
    arguments = call.text
    with contextlib.suppress(ValueError, RecursionError):
        arguments = json.dumps(json.loads(arguments), ensure_ascii=False, indent=1, sort_keys=True)
    return f"{call.name or '?'} {arguments}"


def state_of(run: EvaluationRun) -> State:
    return State(run.job.state) if run.job else State.FAILED
