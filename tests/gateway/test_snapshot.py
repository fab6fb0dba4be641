"""Routes and teachers in memory: one query, and in force in time though no hint comes through."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest
from asgiref.sync import sync_to_async

from apps.accounts import snapshot as directories
from apps.accounts.keys import create_key
from apps.accounts.refreshing import RefreshingSnapshot
from apps.accounts.rights import Scope
from apps.accounts.snapshot import Keys
from apps.core.encryption import new_key, seal
from apps.gateway.snapshot import Snapshot, read
from apps.registry.models import Teacher
from apps.registry.services import set_teacher
from apps.rollouts import services as rollouts
from apps.rollouts.models import Rollout
from apps.team.services import create_agent, create_api_key, revoke_api_key
from slmhub.chat_client import Endpoint
from tests.rollouts.evidence import evaluation, task
from tests.world import World

pytestmark = pytest.mark.django_db(transaction=True, databases="__all__")

REVOKED_WITHIN_S = 2.0
ROLLED_BACK_WITHIN_S = 5.0


def teach(world: World, agents: int) -> None:
    for number in range(agents):
        agent = create_agent(workspace=world.workspace, name=f"agent {number}", actor=world.admin)
        set_teacher(agent=agent, name="T", base_url="http://127.0.0.1:1/v1", key=f"sk-{number}")


def live(world: World, key: str = "a" * 32) -> Rollout:
    rollout = rollouts.request(evaluation=evaluation(world, task(world, key=key)), actor=world.engineer)
    return rollouts.approve(rollout=rollout, actor=world.approver)


# ---- what is read


def test_keys_and_agents_are_one_query_and_routes_and_teachers_another(
    world: World, django_assert_num_queries: Any
) -> None:
    teach(world, 20)
    live(world)
    create_key(world.workspace, number=2)
    set_teacher(agent=world.agent, name="T", base_url="http://127.0.0.1:1/v1/", key="sk-new", model="big")
    for number in range(20):
        create_api_key(workspace=world.workspace, name=str(number), scopes=[Scope.INFER], actor=world.admin)

    with django_assert_num_queries(1):
        directory = directories.read()
    assert len(directory.keys) == 20
    assert len(directory.agents[world.workspace.pk]) == 21
    with django_assert_num_queries(1):
        snapshot = read()
    assert snapshot.teachers[directory.agents[world.workspace.pk]["agent-7"]].endpoint.key == "sk-7"
    teacher = snapshot.teachers[world.agent.pk]
    assert (teacher.endpoint, teacher.model) == (Endpoint("http://127.0.0.1:1/v1", "sk-new"), "big")
    assert list(snapshot.routes) == [(world.agent.pk, "a" * 32)]


def test_a_hundred_teachers_cost_under_five_milliseconds(world: World) -> None:
    teach(world, 100)
    live(world)
    read()
    spent = []
    for _ in range(20):
        began = time.thread_time()
        assert len(read().teachers) == 100
        spent.append(time.thread_time() - began)
    assert min(spent) < 0.005


def test_an_agent_may_have_a_route_and_no_teacher(world: World) -> None:
    rollout = live(world)

    snapshot = read()
    assert snapshot.teachers == {}
    assert snapshot.routes[world.agent.pk, "a" * 32].specialist == rollout.specialist.served_name


def test_a_teacher_needs_no_key(world: World) -> None:
    set_teacher(agent=world.agent, name="T", base_url="http://127.0.0.1:1/v1", simulated=True)

    teacher = read().teachers[world.agent.pk]
    assert (teacher.endpoint.key, teacher.simulated) == ("", True)


def test_what_is_off_or_revoked_is_not_in_it(world: World) -> None:
    key, _ = create_api_key(workspace=world.workspace, name="k", scopes=[Scope.INFER], actor=world.admin)
    rollout = live(world)
    assert key.digest in directories.read().keys
    assert read().routes != {}

    revoke_api_key(key=key, actor=world.admin)
    rollouts.roll_back(rollout=rollout, actor=world.approver)
    assert directories.read().keys == {}
    assert read().routes == {}


def test_one_unreadable_teacher_keeps_no_other_change_from_coming_into_force(world: World) -> None:
    other = create_agent(workspace=world.workspace, name="Other", actor=world.admin)
    for agent in (world.agent, other):
        set_teacher(agent=agent, name="T", base_url="http://127.0.0.1:1/v1", key="sk", actor=world.admin)
    Teacher.objects.filter(agent=other).update(sealed_key=seal(new_key(), b"moved"))

    assert set(read().teachers) == {world.agent.pk}


# ---- when it is in force, where no hint comes through


async def seconds_until(true: Callable[[], bool], change: Callable[[], object]) -> float:
    """From the commit of the change on."""
    await sync_to_async(change)()
    began = time.monotonic()
    async with asyncio.timeout(10):
        while not true():
            await asyncio.sleep(0.01)
    return time.monotonic() - began


async def test_a_revoked_key_is_refused_in_time_without_a_hint(world: World) -> None:
    def make() -> tuple[Any, str]:
        return create_api_key(workspace=world.workspace, name="k", scopes=[Scope.INFER], actor=world.admin)

    key, secret = await sync_to_async(make)()
    keys = Keys()
    await keys.start()
    assert await keys.found([secret]) is not None
    took = await seconds_until(
        lambda: keys.current.key_of(secret) is None, lambda: revoke_api_key(key=key, actor=world.admin)
    )
    await keys.stop()
    assert took < REVOKED_WITHIN_S


async def test_a_roll_back_is_in_force_in_time_without_a_hint(world: World) -> None:
    rollout = await sync_to_async(live)(world)
    held = RefreshingSnapshot(read, Snapshot())
    await held.start()
    assert held.current.routes != {}
    took = await seconds_until(
        lambda: held.current.routes == {}, lambda: rollouts.roll_back(rollout=rollout, actor=world.approver)
    )
    await held.stop()
    assert took < ROLLED_BACK_WITHIN_S
