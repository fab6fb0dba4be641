"""What happens to training runs."""

from __future__ import annotations

from apps.events.facts import Fact, Page, Tone


class TrainingFact(Fact):
    """`name` is that of the task that is trained for."""

    run: int
    dataset: int
    task: int
    name: str

    page = Page("training:detail", "run")

    def what(self) -> str:
        return self.name


class TrainingStarted(TrainingFact):
    type = "training.started"
    verb = "started training for"


class TrainingFinished(TrainingFact):
    type = "training.finished"
    verb = "finished training for"
    tone = Tone.OK

    job: int
    specialist: int


class TrainingFailed(TrainingFact):
    type = "training.failed"
    verb = "failed to train for"
    tone = Tone.BAD

    job: int


class TrainingCancelled(TrainingFact):
    type = "training.cancelled"
    verb = "stopped training for"

    job: int


class TrainingProgressed(Fact):
    type = "training.progressed"
    verb = "went on training"
    page = Page("training:detail", "run")
    audited = False

    run: int
    job: int
    step: int
    total: int
    loss: float | None
