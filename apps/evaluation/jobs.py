"""The background entry of an evaluation. Answers are stored batch by batch; another attempt asks the rest."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from apps.core.errors import HubError
from apps.datasets.models import Example, Split
from apps.evaluation import services, systems
from apps.evaluation.models import Answer, EvaluationRun, System
from apps.evaluation.questions import NotServedError, Question, Reply, Respondent, ask
from apps.jobs.runner import JobContext
from apps.registry.selectors import teacher_of

BATCH = 64


def run(context: JobContext, *, run_id: int) -> dict[str, Any]:
    """Asks specialist, teacher and base the test split, then judges."""
    related = (
        "agent__workspace",
        "dataset",
        "specialist__base",
        "specialist__task",
        "specialist__run__dataset",
    )
    evaluation = EvaluationRun.objects.select_related(*related).get(pk=run_id)
    try:
        _Asking(context, evaluation).everything()
        return services.judge(context=context, run=evaluation)
    except HubError:
        services.publish_failure(context=context, run=evaluation)
        raise


class _Asking:
    """One attempt: what is still to be asked, and of whom."""

    def __init__(self, context: JobContext, run: EvaluationRun) -> None:
        self._context = context
        self._run = run
        rows = run.dataset.examples.filter(split=Split.TEST).select_related("span").order_by("position")
        self._examples = list(rows)
        self._total = len(self._examples) * len(System)

    def everything(self) -> None:
        longest = systems.longest_answer(self._examples)
        specialist = self._run.specialist
        self._ask(System.SPECIALIST, systems.specialist_respondent(specialist, longest), systems.question)
        self._ask_teacher()
        self._ask(System.BASE, systems.base_respondent(specialist, longest), systems.question)

    def _ask_teacher(self) -> None:
        """Where it cannot be asked its recorded answers stand in: they count as right, which favours it."""
        teacher = teacher_of(self._run.agent)
        if teacher is not None:
            try:
                self._ask(System.TEACHER, systems.teacher_respondent(teacher), systems.recorded_question)
            except NotServedError as error:
                self._context.log(
                    f"The teacher cannot be asked, its recorded answers are used. {error.message}"
                )
        rest = self._pending(System.TEACHER)
        replies = [Reply(example.pk, example.expected) for example in rest]
        self._store(System.TEACHER, replies, recorded=True)

    def _ask(self, system: System, respondent: Respondent, form: Callable[[Example], Question]) -> None:
        pending = self._pending(system)
        for start in range(0, len(pending), BATCH):
            self._progress(system)
            questions = [form(example) for example in pending[start : start + BATCH]]
            replies = ask(respondent, questions, check=self._context.check)
            # What the teacher refuses is no proof that it is wrong: its recorded answer will stand there.
            self._store(system, [r for r in replies if r.message is not None or system != System.TEACHER])
        self._progress(system)

    def _pending(self, system: System) -> list[Example]:
        answered = set(self._run.answers.filter(system=system).values_list("example_id", flat=True))
        return [example for example in self._examples if example.pk not in answered]

    def _progress(self, system: System) -> None:
        note = f"asking the {system.label.lower()}"
        self._context.progress(self._run.answers.count(), self._total, note)

    def _store(self, system: System, replies: Sequence[Reply], *, recorded: bool = False) -> None:
        answers = [
            Answer(
                run=self._run,
                example_id=reply.id,
                system=system,
                message=reply.message,
                error=reply.error,
                latency_ms=reply.latency_ms,
                confidence=reply.confidence,
                recorded=recorded,
            )
            for reply in replies
        ]
        with self._context.commit():
            Answer.objects.bulk_create(answers, ignore_conflicts=True, batch_size=200)
