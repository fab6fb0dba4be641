"""Conversions: begun by a person, moved on by the ends of jobs. What comes next is asked of `order`."""

from __future__ import annotations

import logging
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from apps.accounts.models import Agent, User
from apps.core.errors import HubError
from apps.datasets import services as datasets
from apps.discovery import services as discovery
from apps.discovery.models import Task
from apps.evaluation import services as evaluation
from apps.evaluation.models import EvaluationRun
from apps.events.services import publish
from apps.jobs.models import Job, State
from apps.jobs.services import AlreadyRunningError
from apps.lifecycle.events import ConversionDone, ConversionFact, ConversionStarted, ConversionStopped
from apps.lifecycle.models import Conversion, ConversionState, Step
from apps.lifecycle.order import FOR_PEOPLE, Place, TaskRows, place_of
from apps.lifecycle.selectors import arrivals, candidates, read
from apps.registry.selectors import starter
from apps.rollouts import services as rollouts
from apps.training import services as training

MOST_TASKS = 3

log = logging.getLogger(__name__)


class StepFailedError(HubError):
    """A step of the loop did not come to what the next one needs."""


def begin(*, agent: Agent, actor: User, most_tasks: int = MOST_TASKS) -> Conversion:
    """A drive of the agent: its calls are awaited, its tasks discovered, then the best of them converted.

    The one that is open already, where there is one.
    """
    return _begin(Conversion(agent=agent, started_by=actor, most_tasks=most_tasks, step=Step.COLLECT))


def begin_task(*, task: Task, actor: User, part_of: Conversion | None = None) -> Conversion:
    """A drive of one task, from wherever it stands up to the request for approval."""
    step = place_of(read(task.agent).of_task(task)).step
    return _begin(Conversion(agent=task.agent, task=task, started_by=actor, part_of=part_of, step=step))


@transaction.atomic
def _begin(conversion: Conversion) -> Conversion:
    try:
        with transaction.atomic():
            conversion.save(force_insert=True)
    except IntegrityError:
        opened = Conversion.objects.filter(state=ConversionState.OPEN, agent=conversion.agent)
        return opened.get(task=conversion.task)
    _tell(conversion, ConversionStarted, actor=conversion.started_by)
    return conversion


def advance_open() -> int:
    """A duty of the keeper: every conversion whose job has ended takes its next steps. Returns how many."""
    waiting = Conversion.objects.filter(state=ConversionState.OPEN)
    ready = waiting.exclude(job__in=Job.objects.open()).order_by("pk")
    moved = 0
    for conversion in ready.select_related("agent__workspace", "task__agent__workspace", "job", "started_by"):
        try:
            moved += advance(conversion)
        except Exception:
            # The others must not wait for it; it is tried again with the next round.
            log.exception("conversion %s cannot go on now", conversion.pk)
    return moved


def advance(conversion: Conversion) -> bool:
    """Takes steps until a job has to be waited for, or the end has come; whether any was taken."""
    moved = False
    while conversion.is_open and (conversion.job is None or conversion.job.is_over) and _move(conversion):
        moved = True
    return moved


@transaction.atomic
def _move(conversion: Conversion) -> bool:
    """One step, claimed: False when another process took it meanwhile."""
    claimed = Conversion.objects.filter(
        pk=conversion.pk, state=ConversionState.OPEN, step=conversion.step, job=conversion.job
    ).update(state=ConversionState.OPEN)
    if not claimed:
        return False
    try:
        with transaction.atomic():
            place = _next(conversion)
    except HubError as refusal:
        _end(conversion, ConversionState.STOPPED, reason=refusal.sentence)
        return True
    if place is None:
        _end(conversion, ConversionState.DONE)
    else:
        conversion.step, conversion.job = place.step, place.job
        conversion.save(update_fields=["step", "job"])
    return True


def _next(conversion: Conversion) -> Place | None:
    """The place after this one, its step taken; None where only a person can go on."""
    actor = conversion.started_by
    if actor is None:
        raise StepFailedError("The person who began this is gone.", hint="Begin it anew.")
    if conversion.task is None:
        return _next_of_agent(conversion, actor)
    return _next_of_task(conversion, conversion.task, actor)


def _next_of_agent(conversion: Conversion, actor: User) -> Place | None:
    """Calls, then tasks; at the end the drives of the tasks that are worth it."""
    agent = conversion.agent
    if conversion.step == Step.COLLECT:
        if arriving := arrivals(agent).first():
            return Place(Step.COLLECT, arriving)
        try:
            run = discovery.start_run(agent=agent, actor=actor)
        except AlreadyRunningError as somebody_elses:
            return Place(Step.DISCOVER, somebody_elses.job)
        return Place(Step.DISCOVER, run.job)
    _insist_on_success(conversion)
    judged = candidates(agent)
    conversion.judged = [one.judgement for one in judged]
    conversion.save(update_fields=["judged"])
    chosen = [one.task for one in judged if one.is_candidate]
    for task in chosen[: conversion.most_tasks]:
        begin_task(task=task, actor=actor, part_of=conversion)
    return None


def _next_of_task(conversion: Conversion, task: Task, actor: User) -> Place | None:
    """Takes the step at which the task stands, or waits with it."""
    _insist_on_success(conversion)
    task.refresh_from_db()
    rows = read(conversion.agent).of_task(task)
    place = place_of(rows)
    if place.job is not None:
        return place
    step = place.step
    if step is Step.REVISE and _was_judged_before(conversion, rows.evaluation):
        step = Step.BUILD
    if step in FOR_PEOPLE:
        conversion.step = step
        return None
    if conversion.job is not None and step == conversion.step:
        raise StepFailedError(f"{conversion.job} ended well, but left nothing to go on with.")
    try:
        return Place(step, _take(step, rows, actor))
    except AlreadyRunningError as somebody_elses:
        return Place(step, somebody_elses.job)


def _insist_on_success(conversion: Conversion) -> None:
    job = conversion.job
    if job is not None and job.state != State.SUCCEEDED:
        raise StepFailedError(f"{job.title}: {job.get_state_display().lower()}.", hint=job.error)


def _was_judged_before(conversion: Conversion, judged: EvaluationRun | None) -> bool:
    """What the gate or a person said before this drive began is history: the loop goes round again."""
    return judged is not None and judged.created_at < conversion.created_at


def _take(step: Step, rows: TaskRows, actor: User) -> Job | None:
    """Does what a person would do at this step; returns the job to wait for, where there is one."""
    if step is Step.ACCEPT:
        discovery.accept(task=rows.task, actor=actor)
        return None
    if step is Step.BUILD:
        return datasets.build(task=rows.task, actor=actor).job
    if step is Step.TRAIN and rows.dataset is not None:
        return training.start(dataset=rows.dataset, base=starter(), actor=actor).job
    if step is Step.EVALUATE and rows.specialist is not None:
        return evaluation.start(specialist=rows.specialist, actor=actor).job
    if step is Step.REQUEST and rows.evaluation is not None:
        rollouts.request(evaluation=rows.evaluation, actor=actor, reason="Requested by a conversion")
        return None
    raise AssertionError(f"nobody takes the step {step} for a person")


def _end(conversion: Conversion, state: ConversionState, *, reason: str = "") -> None:
    conversion.state, conversion.reason, conversion.ended_at = state, reason, timezone.now()
    conversion.save(update_fields=["state", "step", "reason", "ended_at"])
    if state is ConversionState.STOPPED:
        _tell(conversion, ConversionStopped, reason=reason[:300])
    else:
        _tell(conversion, ConversionDone)


def _tell(
    conversion: Conversion, kind: type[ConversionFact], *, actor: User | None = None, **more: Any
) -> None:
    agent = conversion.agent
    fact = kind(conversion=conversion.pk, name=str(conversion), task=conversion.task_id, **more)
    publish(fact, workspace=agent.workspace, agent=agent, actor=actor)
