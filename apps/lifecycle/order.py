"""The order of the loop: where a task or an agent stands, from its rows alone. The one place that knows it.

Whoever drives by hand in the browser, a conversion, and later a schedule all ask here what comes next.
"""

from __future__ import annotations

from dataclasses import dataclass

from apps.accounts.models import Agent
from apps.datasets.models import DatasetVersion
from apps.discovery.models import DiscoveryRun, Task, TaskState
from apps.evaluation.models import EvaluationRun, Verdict
from apps.jobs.models import Job
from apps.lifecycle.models import Conversion, Step
from apps.rollouts.models import Rollout, RolloutState
from apps.traces.models import Audience
from apps.training.models import Specialist, TrainingRun


@dataclass(frozen=True)
class TaskRows:
    """What there is of a task: the newest row of each kind, on the way from its dataset to its rollout."""

    agent: Agent
    task: Task
    dataset: DatasetVersion | None = None
    # The newest run on that dataset.
    run: TrainingRun | None = None
    specialist: Specialist | None = None
    # The dataset that the specialist learnt from.
    learnt_from: int | None = None
    # The newest evaluation of that specialist.
    evaluation: EvaluationRun | None = None
    rollouts: tuple[Rollout, ...] = ()
    conversion: Conversion | None = None

    def rollout(self, *states: RolloutState) -> Rollout | None:
        return next((rollout for rollout in self.rollouts if rollout.state in states), None)

    @property
    def decided(self) -> Rollout | None:
        """What became of the request for the newest evaluation."""
        judged = self.evaluation.pk if self.evaluation else None
        return next((rollout for rollout in self.rollouts if rollout.evaluation_id == judged), None)


# A second person decides; what serves, serves; and what did not pass needs somebody who looks.
FOR_PEOPLE = (Step.DECIDE, Step.SERVE, Step.REVISE)


@dataclass(frozen=True)
class Place:
    """The step to take next. With a job: it is being taken, and that job has to end first."""

    step: Step
    job: Job | None = None


def place_of(rows: TaskRows) -> Place:
    """Where a task stands."""
    if rows.task.state != TaskState.ACCEPTED:
        return Place(Step.ACCEPT)
    if rows.rollout(RolloutState.REQUESTED):
        return Place(Step.DECIDE)
    if rows.rollout(RolloutState.LIVE):
        return Place(Step.SERVE)
    if rows.specialist is None or _is_outdated(rows):
        return _towards_specialist(rows)
    if rows.evaluation is None:
        return Place(Step.EVALUATE)
    if job := _open(rows.evaluation.job):
        return Place(Step.EVALUATE, job)
    if not rows.evaluation.verdict:
        return Place(Step.EVALUATE)
    if rows.evaluation.verdict == Verdict.PASS and rows.decided is None:
        return Place(Step.REQUEST)
    # The gate said no, or a person did: somebody has to look before the loop goes round again.
    return Place(Step.REVISE)


def _towards_specialist(rows: TaskRows) -> Place:
    if rows.dataset is None:
        return Place(Step.BUILD)
    if not rows.dataset.is_frozen:
        return Place(Step.BUILD, _open(rows.dataset.job))
    return Place(Step.TRAIN, _open(rows.run.job) if rows.run else None)


def _is_outdated(rows: TaskRows) -> bool:
    """A newer dataset version was built since the specialist learnt: the loop goes round again."""
    return rows.dataset is not None and rows.learnt_from is not None and rows.dataset.pk > rows.learnt_from


def _open(job: Job | None) -> Job | None:
    return job if job is not None and not job.is_over else None


@dataclass(frozen=True)
class AgentRows:
    """The newest rows of each kind, newest first; tasks largest first."""

    agent: Agent
    # Before the first discovery whatever runs brings calls in.
    arriving: Job | None
    discovery: DiscoveryRun | None
    # Found and accepted ones.
    tasks: list[Task]
    datasets: list[DatasetVersion]
    runs: list[TrainingRun]
    specialists: list[Specialist]
    evaluations: list[EvaluationRun]
    rollouts: list[Rollout]
    # Open ones.
    conversions: list[Conversion]

    @property
    def found(self) -> list[Task]:
        return [task for task in self.tasks if task.state == TaskState.FOUND]

    @property
    def accepted(self) -> list[Task]:
        return [task for task in self.tasks if task.state == TaskState.ACCEPTED]

    @property
    def live(self) -> list[Rollout]:
        return [rollout for rollout in self.rollouts if rollout.state == RolloutState.LIVE]

    def of_task(self, task: Task) -> TaskRows:
        dataset = next((row for row in self.datasets if row.task_id == task.pk), None)
        specialist = next((row for row in self.specialists if row.task_id == task.pk), None)
        of_specialist = specialist.pk if specialist else None
        learnt_in = specialist.run_id if specialist else None
        return TaskRows(
            agent=self.agent,
            task=task,
            dataset=dataset,
            run=next((row for row in self.runs if dataset and row.dataset_id == dataset.pk), None),
            specialist=specialist,
            learnt_from=next((row.dataset_id for row in self.runs if row.pk == learnt_in), None),
            evaluation=next((row for row in self.evaluations if row.specialist_id == of_specialist), None),
            rollouts=tuple(row for row in self.rollouts if row.task_id == task.pk),
            conversion=next((row for row in self.conversions if row.task_id == task.pk), None),
        )


def place_of_agent(rows: AgentRows, *, has_calls: bool) -> Place:
    """Where an agent stands as a whole, apart from its accepted tasks."""
    driven = next((row for row in rows.conversions if row.task_id is None), None)
    if driven is not None and (job := _open(driven.job)):
        return Place(Step(driven.step), job)
    if rows.arriving is not None:
        return Place(Step.COLLECT, rows.arriving)
    if not has_calls:
        return Place(Step.COLLECT)
    if job := _open(rows.discovery.job) if rows.discovery else None:
        return Place(Step.DISCOVER, job)
    if not rows.tasks:
        return Place(Step.DISCOVER)
    if not rows.accepted or any(task.audience == Audience.MACHINE for task in rows.found):
        return Place(Step.ACCEPT)
    return Place(Step.SERVE if rows.live else Step.COLLECT)
