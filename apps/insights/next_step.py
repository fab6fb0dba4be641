"""The one thing to do next, for this agent and this person's role: a card for each step of the loop."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import IntEnum

from apps.accounts.models import Membership
from apps.accounts.rights import Right
from apps.datasets.models import DatasetVersion
from apps.evaluation.models import EvaluationRun
from apps.insights.loop import Loop
from apps.jobs.models import Job
from apps.lifecycle.models import Step
from apps.lifecycle.order import FOR_PEOPLE, TaskRows, place_of, place_of_agent
from apps.rollouts.models import Rollout, RolloutState
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
    tasks = [_of_task(loop.rows.of_task(task), membership) for task in loop.rows.accepted]
    return [*(step for step in tasks if step is not None), _of_agent(loop)]


# --- one accepted task ---------------------------------------------------------


def _of_task(rows: TaskRows, membership: Membership) -> NextStep | None:
    """The card for the step that `order` says comes next; None where nothing is to be done."""
    place = place_of(rows)
    if place.job is not None:
        return _watch_step(rows, place.step)
    if rows.conversion is not None and place.step not in FOR_PEOPLE:
        url = rows.agent.address("discovery:detail", rows.task.pk)
        return _watch(f"{rows.task} is being converted", url, "S5")
    match place.step:
        case Step.BUILD:
            return _build(rows)
        case Step.TRAIN if rows.dataset:
            return _train(rows, rows.dataset)
        case Step.EVALUATE if rows.specialist:
            return _evaluate(rows, rows.specialist)
        case Step.REQUEST if rows.evaluation:
            return _request(rows, rows.evaluation)
        case Step.DECIDE if rollout := rows.rollout(RolloutState.REQUESTED):
            return _decide(rows, rollout, membership)
        case Step.REVISE if rows.evaluation:
            return _look(rows, rows.evaluation)
    return None


def _watch_step(rows: TaskRows, step: Step) -> NextStep | None:
    address = rows.agent.address
    if step is Step.BUILD and rows.dataset:
        url = address("datasets:detail", rows.dataset.pk)
        return _watch(f"The dataset for {rows.task} is being built", url, "S5")
    if step is Step.TRAIN and rows.run:
        url = address("training:detail", rows.run.pk)
        return _watch(f"A specialist for {rows.task} is in training", url, "S5")
    if step is Step.EVALUATE and rows.evaluation:
        url = address("evaluation:detail", rows.evaluation.pk)
        return _watch(f"The specialist for {rows.task} is being evaluated", url, "S6")
    return None


def _decide(rows: TaskRows, rollout: Rollout, membership: Membership) -> NextStep:
    url = rows.agent.address("rollouts:detail", rollout.pk)
    is_own = rollout.requested_by_id == membership.user_id
    if is_own or not membership.may(Right.APPROVE):
        return NextStep(
            title=f"The rollout of {rows.task} waits for approval",
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
        title=f"Decide the rollout of {rows.task}",
        text=f"{rollout.requested_by} asks to let the specialist answer. The evidence is on the page.",
        label="Look at the evidence",
        url=url,
        code="S6",
        rank=Rank.DECIDE,
        right=Right.APPROVE,
    )


def _build(rows: TaskRows) -> NextStep:
    text = f"{rows.task.size:,} calls become training, validation and test examples, split by session."
    if rows.dataset is not None:
        text = f"The last build ended without a dataset. {_error(rows.dataset.job)}"
    return NextStep(
        title=f"Build a dataset for {rows.task}",
        text=text,
        label="Build dataset",
        url=rows.agent.address("datasets:build", rows.task.pk),
        code="S5",
        rank=Rank.BUILD,
        right=Right.BUILD,
        post=True,
        look_url=rows.agent.address("discovery:detail", rows.task.pk),
        look_label="Open the task",
    )


def _train(rows: TaskRows, dataset: DatasetVersion) -> NextStep:
    text = "The dataset is frozen. Choose a base model; the suggested one is small."
    if rows.run is not None:
        text = f"The last run ended without a specialist. {_error(rows.run.job)}"
    return NextStep(
        title=f"Train a specialist for {rows.task}",
        text=text,
        label="Set up training",
        url=rows.agent.address("training:new", dataset.pk),
        code="S5",
        rank=Rank.TRAIN,
        right=Right.BUILD,
        look_url=rows.agent.address("datasets:detail", dataset.pk),
        look_label="Open the dataset",
    )


def _error(job: Job | None) -> str:
    return f"{job.error[:200]} " if job is not None and job.error else ""


def _evaluate(rows: TaskRows, specialist: Specialist) -> NextStep:
    return NextStep(
        title=f"Evaluate the specialist for {rows.task}",
        text="It answers the held-back calls beside the teacher; the gate says whether it is as good.",
        label="Start evaluation",
        url=rows.agent.address("evaluation:start", specialist.pk),
        code="S6",
        rank=Rank.EVALUATE,
        right=Right.BUILD,
        post=True,
        look_url=rows.agent.address("training:detail", specialist.run_id),
        look_label="Open the training run",
    )


def _request(rows: TaskRows, evaluation: EvaluationRun) -> NextStep:
    return NextStep(
        title=f"Request the rollout of {rows.task}",
        text="The gate says pass. Another person has to approve before the specialist answers.",
        label="Request rollout",
        url=rows.agent.address("rollouts:request", evaluation.pk),
        code="S6",
        rank=Rank.REQUEST,
        right=Right.BUILD,
        look_url=rows.agent.address("evaluation:detail", evaluation.pk),
        look_label="Open the evaluation",
    )


def _look(rows: TaskRows, evaluation: EvaluationRun) -> NextStep:
    if decided := rows.decided:
        url, label = rows.agent.address("rollouts:detail", decided.pk), "Open the rollout"
        title = f"The rollout of {rows.task}: {decided.get_state_display().lower()}"
        text = "Read why, then build a new dataset version or train again."
    else:
        url, label = rows.agent.address("evaluation:detail", evaluation.pk), "Open the evaluation"
        title = f"The gate says {evaluation.get_verdict_display().lower()} for {rows.task}"
        text = "See where the answers differ, collect more calls, then build a new dataset version."
    return NextStep(title=title, text=text, label=label, url=url, code="S6", rank=Rank.LOOK)


def _watch(title: str, url: str, code: str) -> NextStep:
    text = "It runs in the background; this page says when it is done."
    return NextStep(title=title, text=text, label="Watch it", url=url, code=code, rank=Rank.WATCH)


# --- the agent as a whole ------------------------------------------------------


def _of_agent(loop: Loop) -> NextStep:
    place = place_of_agent(loop.rows, has_calls=bool(loop.calls))
    match place.step:
        case Step.COLLECT if place.job:
            return _watch("Traces are coming in", place.job.get_absolute_url(), "S1")
        case Step.COLLECT:
            return _collect_more(loop) if loop.calls else _upload(loop)
        case Step.DISCOVER if place.job:
            return _watch("Tasks are being discovered", loop.agent.address("discovery:list"), "S3")
        case Step.DISCOVER:
            return _discover(loop)
        case Step.ACCEPT:
            return _convert_next(loop) if loop.rows.accepted else _accept(loop)
        case _:
            return _watch_gateway(loop)


def _upload(loop: Loop) -> NextStep:
    return NextStep(
        title="Send the first traces",
        text="Upload a log of what this agent asks its model, or point the agent at the gateway.",
        label="Upload traces",
        url=loop.agent.address("uploads:upload"),
        code="S1",
        right=Right.INGEST,
        look_url=loop.agent.address("traces:list"),
        look_label="Open traces",
    )


def _discover(loop: Loop) -> NextStep:
    return NextStep(
        title="Discover tasks",
        text=f"{loop.calls} calls are here. Find out what recurs in them.",
        label="Discover tasks",
        url=loop.agent.address("discovery:start"),
        code="S3",
        right=Right.LABEL,
        post=True,
        look_url=loop.agent.address("traces:list"),
        look_label="Open traces",
    )


def _accept(loop: Loop) -> NextStep:
    return _label(
        loop,
        "Accept a task",
        f"{len(loop.rows.found)} tasks wait for a decision. Begin with a frequent, machine-facing one.",
    )


def _convert_next(loop: Loop) -> NextStep:
    return _label(loop, "Convert the next task", f"{len(loop.rows.found)} found tasks wait for a decision.")


def _label(loop: Loop, title: str, text: str) -> NextStep:
    url = loop.agent.address("discovery:list")
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
    count = len(loop.rows.live)
    who = f"{count} specialists answer" if count > 1 else "A specialist answers"
    text = f"{who} now. See how often the teacher still has to."
    return NextStep(
        title="Watch the gateway",
        text=text,
        label="Open the gateway",
        url=loop.agent.address("gateway:overview"),
        code="S6",
    )


def _collect_more(loop: Loop) -> NextStep:
    return NextStep(
        title="Collect more calls",
        text="Everything that was accepted is under way. New calls show new tasks.",
        label="Open traces",
        url=loop.agent.address("traces:list"),
        code="S1",
    )
