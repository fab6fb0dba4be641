"""What happens to evaluations."""

from __future__ import annotations

from apps.events.facts import Fact, Page, Tone


class EvaluationFact(Fact):
    """`name` is that of the specialist's task."""

    evaluation: int
    specialist: int
    task: int
    name: str

    page = Page("evaluation:detail", "evaluation")

    def what(self) -> str:
        return self.name


class EvaluationStarted(EvaluationFact):
    type = "evaluation.started"
    verb = "started to evaluate"


class EvaluationFinished(EvaluationFact):
    type = "evaluation.finished"
    verb = "evaluated"
    tone = Tone.OK

    job: int
    verdict: str

    def detail(self) -> str:
        return self.verdict


class EvaluationFailed(EvaluationFact):
    type = "evaluation.failed"
    verb = "failed to evaluate"
    tone = Tone.BAD

    job: int
