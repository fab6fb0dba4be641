"""Request, decide and roll back. Every step is claimed by a conditional update and leaves an audit event."""

from __future__ import annotations

from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from apps.accounts import revision
from apps.accounts.models import User
from apps.core.errors import ConflictError, HubError
from apps.discovery.models import Task
from apps.discovery.selectors import routable_keys, task_family
from apps.evaluation.models import EvaluationRun, Verdict
from apps.events.services import publish
from apps.registry.models import LicenceClass
from apps.rollouts.events import (
    RolloutApproved,
    RolloutFact,
    RolloutRejected,
    RolloutRequested,
    RolloutRolledBack,
    RolloutWithdrawn,
)
from apps.rollouts.evidence import evidence_of
from apps.rollouts.models import Rollout, RolloutState, Route


class NotReadyError(HubError):
    """The evidence does not allow a rollout."""

    status = 409


class OwnRequestError(HubError):
    """A request is decided by somebody else than who made it."""

    status = 403


class NotYourRequestError(HubError):
    """A request is withdrawn by who made it; others reject it."""

    status = 403


@transaction.atomic
def request(*, evaluation: EvaluationRun, actor: User, reason: str = "") -> Rollout:
    """A request with its evidence frozen. Raises `NotReadyError` when gate, licence or routing forbid it."""
    specialist = evaluation.specialist
    _check_ready(evaluation)
    evidence = evidence_of(evaluation)
    try:
        with transaction.atomic():
            rollout = Rollout.objects.create(
                agent=evaluation.agent,
                task=specialist.task,
                specialist=specialist,
                evaluation=evaluation,
                evidence=evidence,
                evidence_digest=evidence.digest,
                reason=reason,
                requested_by=actor,
            )
    except IntegrityError:
        raise ConflictError(
            "This task already has a request that waits.", hint="Withdraw it before you ask again."
        ) from None
    _publish(RolloutRequested(**_about(rollout)), rollout, actor)
    return rollout


def _check_ready(evaluation: EvaluationRun) -> None:
    specialist = evaluation.specialist
    if evaluation.verdict != Verdict.PASS:
        raise NotReadyError(
            f"The gate says {evaluation.get_verdict_display() or 'nothing yet'}, not pass.",
            hint="Collect more calls or train again, then evaluate.",
        )
    if specialist.base.licence_class == LicenceClass.RESEARCH:
        raise NotReadyError(
            f"The licence of {specialist.base} ({specialist.base.licence}) forbids deployment.",
            hint="Train on a base model with a permissive licence.",
        )
    if not routable_keys(specialist.task):
        raise NotReadyError(
            "The gateway cannot tell this task's calls from others before they are answered.",
            hint="Merge the tasks that share its prompt, or give the step a system prompt of its own.",
        )


@transaction.atomic
def approve(*, rollout: Rollout, actor: User, note: str = "") -> Rollout:
    """Claims the request for another person than its requester, and turns the route on."""
    _decide(rollout, RolloutState.LIVE, actor, note)
    Rollout.objects.filter(task=rollout.task, state=RolloutState.LIVE).exclude(pk=rollout.pk).update(
        state=RolloutState.ROLLED_BACK, rolled_back_by=actor, rolled_back_at=timezone.now()
    )
    Route.objects.update_or_create(
        task=rollout.task,
        defaults={
            "agent": rollout.agent,
            "rollout": rollout,
            "specialist": rollout.specialist,
            "routing_keys": rollout.evidence.routing.keys,
            "actions": _actions(rollout.task),
            "is_on": True,
            "changed_at": timezone.now(),
        },
    )
    revision.touch()
    _publish(RolloutApproved(**_about(rollout), note=note), rollout, actor)
    return rollout


def _actions(task: Task) -> list[str]:
    return sorted({member.action for member in task_family(task) if member.action})


@transaction.atomic
def reject(*, rollout: Rollout, actor: User, note: str = "") -> Rollout:
    _decide(rollout, RolloutState.REJECTED, actor, note)
    _publish(RolloutRejected(**_about(rollout), note=note), rollout, actor)
    return rollout


def _decide(rollout: Rollout, state: RolloutState, actor: User, note: str) -> None:
    if rollout.requested_by_id == actor.pk:
        raise OwnRequestError("You asked for this rollout.", hint="Another person has to decide it.")
    if not Rollout.objects.filter(pk=rollout.pk, state=RolloutState.REQUESTED).update(
        state=state, decided_by=actor, decided_at=timezone.now(), decision_note=note
    ):
        raise ConflictError("This request was already decided or withdrawn.")
    rollout.refresh_from_db()


@transaction.atomic
def withdraw(*, rollout: Rollout, actor: User) -> Rollout:
    if rollout.requested_by_id != actor.pk:
        raise NotYourRequestError("Somebody else asked for this rollout.", hint="An approver can reject it.")
    if not Rollout.objects.filter(pk=rollout.pk, state=RolloutState.REQUESTED).update(
        state=RolloutState.WITHDRAWN
    ):
        raise ConflictError("This request was already decided or withdrawn.")
    rollout.refresh_from_db()
    _publish(RolloutWithdrawn(**_about(rollout)), rollout, actor)
    return rollout


@transaction.atomic
def roll_back(*, rollout: Rollout, actor: User, note: str = "") -> Rollout:
    """Turns the route off: from the gateway's next snapshot on the teacher answers again."""
    now = timezone.now()
    if not Rollout.objects.filter(pk=rollout.pk, state=RolloutState.LIVE).update(
        state=RolloutState.ROLLED_BACK, rolled_back_by=actor, rolled_back_at=now
    ):
        raise ConflictError("This rollout is not live.")
    Route.objects.filter(rollout=rollout).update(is_on=False, changed_at=now)
    revision.touch()
    rollout.refresh_from_db()
    _publish(RolloutRolledBack(**_about(rollout), note=note), rollout, actor)
    return rollout


def _about(rollout: Rollout) -> dict[str, Any]:
    return {"rollout": rollout.pk, "task": rollout.task_id, "name": str(rollout.task)}


def _publish(fact: RolloutFact, rollout: Rollout, actor: User) -> None:
    publish(fact, workspace=rollout.agent.workspace, agent=rollout.agent, actor=actor)
