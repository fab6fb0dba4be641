"""The one thing to do next, for this agent and this person's role."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Any

from apps.accounts.models import Membership
from apps.accounts.rights import Right
from apps.datasets.models import DatasetVersion
from apps.discovery.models import Task
from apps.evaluation.models import EvaluationRun, Verdict
from apps.insights.loop import Loop, is_open
from apps.jobs.models import Job
from apps.rollouts.models import Rollout, RolloutState
from apps.traces.models import Audience
from apps.training.models import Specialist

WHO = {
    Right.INGEST: "a curator or an engineer",
    Right.LABEL: "a curator or an engineer",
    Right.BUILD: "an engineer",
    Right.APPROVE: "an approver",
}


class Rank(IntEnum):
    """What comes first when several tasks stand at different places; up to BUILD a person has to act."""

    DECIDE = 1
    REQUEST = 2
    EVALUATE = 3
    TRAIN = 4
    BUILD = 5
    WATCH = 6
    LOOK = 7
    REST = 8


@dataclass(frozen=True)
class NextStep:
    """A card with one button. `post` buttons act at once; `right` is what the act asks for."""

    title: str
    text: str
    label: str
    url: str
    code: str
    rank: Rank = Rank.REST
    right: Right = Right.VIEW
    post: bool = False
    # Where somebody without the right may look instead.
    look_url: str = ""
    look_label: str = ""
    may: bool = True


def choose(loop: Loop, membership: Membership) -> NextStep:
    """The first step in `Rank` that this person may take; else the first of all, with whom to ask."""
    found = [
        _for(step, membership) for step in sorted(_candidates(loop, membership), key=lambda step: step.rank)
    ]
    acts = (step for step in found if step.rank <= Rank.BUILD and step.may)
    return next(acts, None) or found[0]


def _for(step: NextStep, membership: Membership) -> NextStep:
    if step.may and membership.may(step.right):
        return step
    ask = f" Ask {WHO[step.right]}." if step.may else ""
    url, label = step.look_url or step.url, step.look_label or "Have a look"
    return replace(step, text=f"{step.text}{ask}", url=url, label=label, post=False, may=False)


def _candidates(loop: Loop, membership: Membership) -> list[NextStep]:
    """Never empty: what the accepted tasks need, else where the agent as a whole stands."""
    places = [step for task in loop.accepted for step in _of_task(_Place(loop, task), membership)]
    return [*places, _of_agent(loop)]


@dataclass(frozen=True)
class _Place:
    """Addresses of an agent's pages."""

    loop: Loop
    task: Task

    def url(self, route: str, *arguments: Any) -> str:
        return _url(self.loop, route, *arguments)

    @property
    def task_url(self) -> str:
        return self.url("discovery:detail", self.task.pk)


def _url(loop: Loop, route: str, *arguments: Any) -> str:
    return loop.agent.address(route, *arguments)


# --- one accepted task ---------------------------------------------------------


def _of_task(place: _Place, membership: Membership) -> Iterator[NextStep]:
    rollouts = [rollout for rollout in place.loop.rollouts if rollout.task_id == place.task.pk]
    waiting = next((rollout for rollout in rollouts if rollout.state == RolloutState.REQUESTED), None)
    if waiting is not None:
        yield _decide(place, waiting, membership)
    elif not any(rollout.state == RolloutState.LIVE for rollout in rollouts):
        yield _on_the_way(place, {rollout.evaluation_id: rollout for rollout in rollouts})


def _decide(place: _Place, rollout: Rollout, membership: Membership) -> NextStep:
    url = place.url("rollouts:detail", rollout.pk)
    is_own = rollout.requested_by_id == membership.user_id
    if is_own or not membership.may(Right.APPROVE):
        return NextStep(
            title=f"The rollout of {place.task} waits for approval",
            text="Somebody else with the approver's role decides it."
            if is_own
            else "An approver decides it.",
            label="Open the request",
            url=url,
            code="S6",
            rank=Rank.DECIDE,
            look_label="Open the request",
            may=False,
        )
    return NextStep(
        title=f"Decide the rollout of {place.task}",
        text=f"{rollout.requested_by} asks to let the specialist answer. The evidence is on the page.",
        label="Look at the evidence",
        url=url,
        code="S6",
        rank=Rank.DECIDE,
        right=Right.APPROVE,
    )


def _on_the_way(place: _Place, decided: dict[int, Rollout]) -> NextStep:
    loop, task = place.loop, place.task
    dataset = next((row for row in loop.datasets if row.task_id == task.pk), None)
    specialist = next((row for row in loop.specialists if row.task_id == task.pk), None)
    if specialist is None or _is_outdated(loop, specialist, dataset):
        return _towards_specialist(place, dataset)
    evaluation = next((row for row in loop.evaluations if row.specialist_id == specialist.pk), None)
    if evaluation is not None and is_open(evaluation.job):
        return _watch(
            f"The specialist for {task} is being evaluated",
            place.url("evaluation:detail", evaluation.pk),
            "S6",
        )
    if evaluation is None or not evaluation.verdict:
        return _evaluate(place, specialist)
    if evaluation.verdict == Verdict.PASS and evaluation.pk not in decided:
        return _request(place, evaluation)
    return _look(place, evaluation, decided.get(evaluation.pk))


def _is_outdated(loop: Loop, specialist: Specialist, dataset: DatasetVersion | None) -> bool:
    """A newer dataset version was built since: the loop goes round again."""
    trained_on = next((run.dataset_id for run in loop.runs if run.pk == specialist.run_id), None)
    return dataset is not None and trained_on is not None and dataset.pk > trained_on


def _towards_specialist(place: _Place, dataset: DatasetVersion | None) -> NextStep:
    if dataset is None:
        return _build(
            place,
            f"{place.task.size:,} calls become training, validation and test examples, split by session.",
        )
    if is_open(dataset.job):
        return _watch(
            f"The dataset for {place.task} is being built", place.url("datasets:detail", dataset.pk), "S5"
        )
    if dataset.frozen_at is None:
        return _build(place, f"The last build ended without a dataset. {_error(dataset.job)}")
    run = next((row for row in place.loop.runs if row.dataset_id == dataset.pk), None)
    if run is not None and is_open(run.job):
        return _watch(
            f"A specialist for {place.task} is in training", place.url("training:detail", run.pk), "S5"
        )
    before = f"The last run ended without a specialist. {_error(run.job)}" if run is not None else ""
    return _train(
        place, dataset, before or "The dataset is frozen. Choose a base model; the suggested one is small."
    )


def _error(job: Job | None) -> str:
    return f"{job.error[:200]} " if job is not None and job.error else ""


def _build(place: _Place, text: str) -> NextStep:
    return NextStep(
        title=f"Build a dataset for {place.task}",
        text=text,
        label="Build dataset",
        url=place.url("datasets:build", place.task.pk),
        code="S5",
        rank=Rank.BUILD,
        right=Right.BUILD,
        post=True,
        look_url=place.task_url,
        look_label="Open the task",
    )


def _train(place: _Place, dataset: DatasetVersion, text: str) -> NextStep:
    return NextStep(
        title=f"Train a specialist for {place.task}",
        text=text,
        label="Set up training",
        url=place.url("training:new", dataset.pk),
        code="S5",
        rank=Rank.TRAIN,
        right=Right.BUILD,
        look_url=place.url("datasets:detail", dataset.pk),
        look_label="Open the dataset",
    )


def _evaluate(place: _Place, specialist: Specialist) -> NextStep:
    return NextStep(
        title=f"Evaluate the specialist for {place.task}",
        text="It answers the held-back calls beside the teacher; the gate says whether it is as good.",
        label="Start evaluation",
        url=place.url("evaluation:start", specialist.pk),
        code="S6",
        rank=Rank.EVALUATE,
        right=Right.BUILD,
        post=True,
        look_url=place.url("training:detail", specialist.run_id),
        look_label="Open the training run",
    )


def _request(place: _Place, evaluation: EvaluationRun) -> NextStep:
    return NextStep(
        title=f"Request the rollout of {place.task}",
        text="The gate says pass. Another person has to approve before the specialist answers.",
        label="Request rollout",
        url=place.url("rollouts:request", evaluation.pk),
        code="S6",
        rank=Rank.REQUEST,
        right=Right.BUILD,
        look_url=place.url("evaluation:detail", evaluation.pk),
        look_label="Open the evaluation",
    )


def _look(place: _Place, evaluation: EvaluationRun, decided: Rollout | None) -> NextStep:
    if decided is not None:
        url, label = place.url("rollouts:detail", decided.pk), "Open the rollout"
        title = f"The rollout of {place.task}: {decided.get_state_display().lower()}"
        text = "Read why, then build a new dataset version or train again."
    else:
        url, label = place.url("evaluation:detail", evaluation.pk), "Open the evaluation"
        title = f"The gate says {evaluation.get_verdict_display().lower()} for {place.task}"
        text = "See where the answers differ, collect more calls, then build a new dataset version."
    return NextStep(title=title, text=text, label=label, url=url, code="S6", rank=Rank.LOOK)


def _watch(title: str, url: str, code: str) -> NextStep:
    text = "It runs in the background; this page says when it is done."
    return NextStep(title=title, text=text, label="Watch it", url=url, code=code, rank=Rank.WATCH)


# --- the agent as a whole ------------------------------------------------------


def _of_agent(loop: Loop) -> NextStep:
    steps: tuple[tuple[bool, Callable[[Loop], NextStep]], ...] = (
        (loop.discovery is None and bool(loop.jobs), _watch_arrival),
        (not loop.calls, _upload),
        (loop.discovery is not None and is_open(loop.discovery.job), _watch_discovery),
        (not loop.tasks, _discover),
        (not loop.accepted, _accept),
        (any(task.audience == Audience.MACHINE for task in loop.found), _convert_next),
        (bool(loop.live), _watch_gateway),
    )
    return next((make(loop) for applies, make in steps if applies), None) or _collect_more(loop)


def _watch_arrival(loop: Loop) -> NextStep:
    job = loop.jobs[0]
    return _watch("Traces are coming in", job.get_absolute_url(), "S1")


def _upload(loop: Loop) -> NextStep:
    return NextStep(
        title="Send the first traces",
        text="Upload a log of what this agent asks its model, or point the agent at the gateway.",
        label="Upload traces",
        url=_url(loop, "uploads:upload"),
        code="S1",
        right=Right.INGEST,
        look_url=_url(loop, "traces:list"),
        look_label="Open traces",
    )


def _watch_discovery(loop: Loop) -> NextStep:
    return _watch("Tasks are being discovered", _url(loop, "discovery:list"), "S3")


def _discover(loop: Loop) -> NextStep:
    return NextStep(
        title="Discover tasks",
        text=f"{loop.calls} calls are here. Find out what recurs in them.",
        label="Discover tasks",
        url=_url(loop, "discovery:start"),
        code="S3",
        right=Right.LABEL,
        post=True,
        look_url=_url(loop, "traces:list"),
        look_label="Open traces",
    )


def _accept(loop: Loop) -> NextStep:
    return _label(
        loop,
        "Accept a task",
        f"{len(loop.found)} tasks wait for a decision. Begin with a frequent, machine-facing one.",
    )


def _convert_next(loop: Loop) -> NextStep:
    return _label(loop, "Convert the next task", f"{len(loop.found)} found tasks wait for a decision.")


def _label(loop: Loop, title: str, text: str) -> NextStep:
    url = _url(loop, "discovery:list")
    return NextStep(
        title=title,
        text=text,
        label="Open tasks",
        url=url,
        code="S3",
        right=Right.LABEL,
        look_label="Open tasks",
    )


def _watch_gateway(loop: Loop) -> NextStep:
    count = len(loop.live)
    who = f"{count} specialists answer" if count > 1 else "A specialist answers"
    text = f"{who} now. See how often the teacher still has to."
    return NextStep(
        title="Watch the gateway",
        text=text,
        label="Open the gateway",
        url=_url(loop, "gateway:overview"),
        code="S6",
    )


def _collect_more(loop: Loop) -> NextStep:
    return NextStep(
        title="Collect more calls",
        text="Everything that was accepted is under way. New calls show new tasks.",
        label="Open traces",
        url=_url(loop, "traces:list"),
        code="S1",
    )
