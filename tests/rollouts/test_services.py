"""Nobody serves a specialist alone: one asks with evidence, another decides, both can see why."""

from __future__ import annotations

import hashlib
import threading

import orjson
import pytest
from django.db import IntegrityError, connection, transaction

from apps.core.errors import ConflictError
from apps.discovery.models import TaskState
from apps.evaluation.models import Verdict
from apps.registry.models import LicenceClass
from apps.rollouts import services
from apps.rollouts.events import (
    RolloutApproved,
    RolloutRejected,
    RolloutRequested,
    RolloutRolledBack,
    RolloutWithdrawn,
)
from apps.rollouts.models import Rollout, RolloutState, Route
from apps.rollouts.services import NotReadyError, OwnRequestError
from tests.rollouts.evidence import base, evaluation, task
from tests.world import World


def requested(world: World, **fields: object) -> Rollout:
    of_task = fields.pop("task", None) or task(world)
    return services.request(evaluation=evaluation(world, of_task), actor=world.engineer, reason="cheaper")  # type: ignore[arg-type]


def told(world: World) -> list[str]:
    return list(
        world.workspace.events.filter(type__startswith="rollout.")
        .order_by("number")
        .values_list("type", flat=True)
    )


def test_a_request_freezes_its_evidence(world: World) -> None:
    rollout = requested(world)

    assert rollout.state == RolloutState.REQUESTED
    assert rollout.evidence.evaluation.gate.verdict == "pass"
    assert rollout.evidence.routing.keys == ["a" * 32]
    assert "Wording: 90 %" in rollout.evidence.dataset.shared_with_training[0]
    assert Route.objects.count() == 0
    assert told(world) == [RolloutRequested.type]


def test_the_digest_is_that_of_the_stored_evidence(world: World) -> None:
    rollout = requested(world)
    with connection.cursor() as cursor:
        cursor.execute("SELECT evidence FROM rollouts_rollout WHERE id = %s", [rollout.pk])
        stored = orjson.dumps(orjson.loads(cursor.fetchone()[0]), option=orjson.OPT_SORT_KEYS)
    assert rollout.evidence_digest == hashlib.sha256(stored).hexdigest()


def test_later_changes_elsewhere_do_not_change_the_evidence(world: World) -> None:
    rollout = requested(world)
    rollout.task.name = "Another name"
    rollout.task.routing_keys = {}
    rollout.task.save()
    rollout.refresh_from_db()

    assert rollout.evidence.task.name == "Look up an order"
    assert rollout.evidence.routing.keys == ["a" * 32]


@pytest.mark.parametrize("verdict", [Verdict.FAIL, Verdict.INCONCLUSIVE, ""])
def test_without_a_passed_gate_nothing_is_requested(world: World, verdict: str) -> None:
    with pytest.raises(NotReadyError, match="not pass"):
        services.request(evaluation=evaluation(world, task(world), verdict=verdict), actor=world.engineer)
    assert Rollout.objects.count() == 0


def test_a_licence_that_forbids_deployment_blocks_the_request(world: World) -> None:
    run = evaluation(world, task(world), base=base(LicenceClass.RESEARCH))

    with pytest.raises(NotReadyError, match="forbids deployment"):
        services.request(evaluation=run, actor=world.engineer)


def test_a_task_that_the_gateway_cannot_recognise_blocks_the_request(world: World) -> None:
    run = evaluation(world, task(world, calls=90, of=100))

    with pytest.raises(NotReadyError, match="cannot tell"):
        services.request(evaluation=run, actor=world.engineer)


def test_a_task_has_one_open_request(world: World) -> None:
    rollout = requested(world)

    with pytest.raises(ConflictError, match="already has a request"):
        requested(world, task=rollout.task)


def test_an_approval_turns_the_route_on(world: World) -> None:
    rollout = services.approve(rollout=requested(world), actor=world.approver, note="fine")

    route = Route.objects.get()
    assert (rollout.state, rollout.decided_by, rollout.decision_note) == (
        RolloutState.LIVE,
        world.approver,
        "fine",
    )
    assert (route.is_on, route.specialist, route.routing_keys) == (True, rollout.specialist, ["a" * 32])
    assert route.actions == ["tool:lookup"]
    assert told(world) == [RolloutRequested.type, RolloutApproved.type]


def test_a_route_knows_what_the_merged_tasks_do_too(world: World) -> None:
    rollout = requested(world)
    merged = task(world, key="b" * 32, action="respond")
    merged.state, merged.merged_into = TaskState.MERGED, rollout.task
    merged.save()

    services.approve(rollout=rollout, actor=world.approver)
    assert Route.objects.get().actions == ["respond", "tool:lookup"]


def test_nobody_decides_their_own_request(world: World) -> None:
    rollout = services.request(evaluation=evaluation(world, task(world)), actor=world.admin)

    for decide in (services.approve, services.reject):
        with pytest.raises(OwnRequestError):
            decide(rollout=rollout, actor=world.admin)
    with pytest.raises(IntegrityError), transaction.atomic():
        Rollout.objects.filter(pk=rollout.pk).update(decided_by=world.admin)
    assert Route.objects.count() == 0


def test_a_rejection_leaves_the_teacher_in_charge(world: World) -> None:
    rollout = services.reject(rollout=requested(world), actor=world.approver, note="too early")

    assert rollout.state == RolloutState.REJECTED
    assert Route.objects.count() == 0
    assert told(world)[-1] == RolloutRejected.type


def test_a_withdrawn_request_cannot_be_approved(world: World) -> None:
    rollout = services.withdraw(rollout=requested(world), actor=world.engineer)

    assert rollout.state == RolloutState.WITHDRAWN
    with pytest.raises(ConflictError):
        services.approve(rollout=rollout, actor=world.approver)
    assert told(world)[-1] == RolloutWithdrawn.type


def test_only_who_asked_withdraws(world: World) -> None:
    rollout = requested(world)

    with pytest.raises(services.NotYourRequestError):
        services.withdraw(rollout=rollout, actor=world.admin)
    rollout.refresh_from_db()
    assert rollout.state == RolloutState.REQUESTED


def test_after_a_withdrawal_one_may_ask_again(world: World) -> None:
    rollout = services.withdraw(rollout=requested(world), actor=world.engineer)

    assert requested(world, task=rollout.task).state == RolloutState.REQUESTED


def test_a_second_rollout_supersedes_the_first(world: World) -> None:
    first = services.approve(rollout=requested(world), actor=world.approver)
    second = services.approve(rollout=requested(world, task=first.task), actor=world.approver)
    first.refresh_from_db()

    assert (first.state, second.state) == (RolloutState.ROLLED_BACK, RolloutState.LIVE)
    assert Route.objects.get().specialist == second.specialist


def test_a_superseded_rollout_cannot_turn_the_route_off(world: World) -> None:
    first = services.approve(rollout=requested(world), actor=world.approver)
    services.approve(rollout=requested(world, task=first.task), actor=world.approver)

    with pytest.raises(ConflictError):
        services.roll_back(rollout=first, actor=world.approver)
    assert Route.objects.get().is_on


def test_a_roll_back_turns_the_route_off(world: World) -> None:
    rollout = services.approve(rollout=requested(world), actor=world.approver)
    rollout = services.roll_back(rollout=rollout, actor=world.admin, note="wrong answers")

    assert (rollout.state, rollout.rolled_back_by) == (RolloutState.ROLLED_BACK, world.admin)
    assert not Route.objects.get().is_on
    assert told(world)[-1] == RolloutRolledBack.type
    with pytest.raises(ConflictError):
        services.roll_back(rollout=rollout, actor=world.admin)


@pytest.mark.django_db(transaction=True, databases="__all__")
def test_of_two_who_decide_at_once_one_wins(world: World) -> None:
    rollout = requested(world)
    together, outcomes = threading.Barrier(2), []

    def decide(decision: str, actor: object) -> None:
        own = Rollout.objects.get(pk=rollout.pk)
        together.wait()
        try:
            getattr(services, decision)(rollout=own, actor=actor)
            outcomes.append(decision)
        except ConflictError:
            outcomes.append("conflict")
        finally:
            connection.close()

    people = (("approve", world.approver), ("reject", world.admin))
    threads = [threading.Thread(target=decide, args=one) for one in people]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(outcomes) in (["approve", "conflict"], ["conflict", "reject"])
    rollout.refresh_from_db()
    assert Route.objects.exists() == (rollout.state == RolloutState.LIVE) == ("approve" in outcomes)
    assert len(told(world)) == 2
