"""Starting an evaluation and judging its answers."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from django.db import transaction
from django.utils import timezone
from msgspec.structs import asdict

from apps.accounts.models import User
from apps.accounts.rights import Right
from apps.core.errors import ConflictError, HubError
from apps.datasets.models import Example, Split
from apps.evaluation.events import EvaluationFailed, EvaluationFinished, EvaluationStarted
from apps.evaluation.models import Answer, EvaluationRun, System
from apps.evaluation.report import Latency, RunReport, TeacherAnswers
from apps.events.services import publish
from apps.jobs import services as jobs
from apps.jobs.runner import JobContext
from apps.registry.selectors import teacher_of
from apps.training.models import Specialist
from slmhub.ml.evaluation import EvaluationError, compare, evaluate

JOB = "apps.evaluation.jobs.run"
WIDEST_MARGIN = 0.2


class CannotEvaluateError(ConflictError):
    """There is nothing to compare."""


class BadMarginError(HubError):
    """The margin is no share that a team could accept."""

    status = 422


@transaction.atomic
def start(*, specialist: Specialist, actor: User | None, margin: float = 0.05) -> EvaluationRun:
    """Queues an evaluation on the test split of the specialist's own dataset.

    Raises AlreadyRunningError, CannotEvaluateError or BadMarginError.
    """
    if not 0 < margin <= WIDEST_MARGIN:
        raise BadMarginError(
            f"A margin of {margin:g} is out of bounds.", hint="Choose more than 0 and at most 0.2."
        )
    dataset = specialist.run.dataset
    if not dataset.examples.filter(split=Split.TEST).exists():
        raise CannotEvaluateError(
            f"{dataset} has no test examples.", hint="Collect more calls and build it again."
        )
    agent = specialist.agent
    run = EvaluationRun.objects.create(
        agent=agent,
        specialist=specialist,
        dataset=dataset,
        started_by=actor,
        margin=margin,
        teacher_simulated=_is_simulated(specialist),
    )
    publish(EvaluationStarted(**facts(run)), workspace=agent.workspace, agent=agent, actor=actor)
    run.job = jobs.start(
        workspace=agent.workspace,
        agent=agent,
        title=f"Evaluate {specialist} on {dataset}",
        entry=JOB,
        arguments={"run_id": run.pk},
        right=Right.BUILD,
        exclusive_key=f"evaluation:{specialist.pk}",
        actor=actor,
        url=run.get_absolute_url(),
    )
    run.save(update_fields=["job"])
    return run


def _is_simulated(specialist: Specialist) -> bool:
    """Whether the teacher, or what it was recorded to answer, is the demo's stand-in."""
    teacher = teacher_of(specialist.agent)
    recorded = specialist.run.dataset.examples.filter(split=Split.TEST, span__simulated=True)
    return bool(teacher and teacher.simulated) or recorded.exists()


def judge(*, context: JobContext, run: EvaluationRun) -> dict[str, Any]:
    """Scores every answer, writes report and verdict. Raises CannotEvaluateError or LeaseLostError."""
    examples = list(run.dataset.examples.filter(split=Split.TEST).order_by("position"))
    answers = list(run.answers.all())
    try:
        report = evaluate(
            _rows(examples, answers),
            candidate=System.SPECIALIST.value,
            baseline=System.TEACHER.value,
            margin=run.margin,
        )
    except EvaluationError as error:
        raise CannotEvaluateError(str(error)) from error
    _mark(examples, answers)
    verdict = report.gate.verdict.value
    with context.commit():
        Answer.objects.bulk_update(answers, ["correct"], batch_size=200)
        EvaluationRun.objects.filter(pk=run.pk).update(
            report=RunReport(
                **asdict(report), latency=_latencies(answers), teacher=_teacher_answers(answers)
            ),
            verdict=verdict,
            finished_at=timezone.now(),
        )
        fact = EvaluationFinished(**facts(run), job=context.job.pk, verdict=verdict)
        publish(fact, workspace=run.agent.workspace, agent=run.agent)
    return {"evaluation": run.pk, "verdict": verdict}


def _rows(examples: list[Example], answers: list[Answer]) -> list[dict[str, Any]]:
    by_example: dict[int, dict[str, Any]] = defaultdict(dict)
    for answer in answers:
        by_example[answer.example_id][answer.system] = answer.message
    return [
        {
            "id": str(example.pk),
            "session": example.session,
            "expected": example.expected,
            "answers": by_example[example.pk],
            "tools": example.tools,
        }
        for example in examples
    ]


def _mark(examples: list[Example], answers: list[Answer]) -> None:
    expected = {example.pk: example for example in examples}
    for answer in answers:
        example = expected[answer.example_id]
        answer.correct = compare(example.expected, answer.message, example.tools or ()).match


def _latencies(answers: list[Answer]) -> dict[str, Latency | None]:
    return {
        system.value: _percentiles([a.latency_ms for a in answers if a.system == system and a.latency_ms])
        for system in System
    }


def _percentiles(values: list[float]) -> Latency | None:
    if not values:
        return None
    ordered = sorted(values)
    return Latency(
        p50=ordered[len(ordered) // 2],
        p95=ordered[min(len(ordered) - 1, int(len(ordered) * 0.95))],
    )


def _teacher_answers(answers: list[Answer]) -> TeacherAnswers:
    recorded = sum(answer.recorded for answer in answers)
    asked = sum(answer.system == System.TEACHER for answer in answers) - recorded
    return TeacherAnswers(asked=asked, recorded=recorded)


def publish_failure(*, context: JobContext, run: EvaluationRun) -> None:
    with context.commit():
        fact = EvaluationFailed(**facts(run), job=context.job.pk)
        publish(fact, workspace=run.agent.workspace, agent=run.agent)


def facts(run: EvaluationRun) -> dict[str, Any]:
    specialist = run.specialist
    return {
        "evaluation": run.pk,
        "specialist": specialist.pk,
        "task": specialist.task_id,
        "name": str(specialist.task),
    }
