from __future__ import annotations

import pytest

from apps.core.errors import ConflictError
from apps.discovery import services
from apps.discovery.columns import KeyUse
from apps.discovery.events import TaskAccepted, TaskIgnored, TaskRenamed, TaskReopened
from apps.discovery.models import Task, TaskState
from apps.discovery.selectors import calls_of, routable_keys, task_family, tasks_of
from apps.team.services import create_agent
from tests.discovery.factories import Step, extraction, task
from tests.world import World


def events(world: World) -> list[str]:
    return list(
        world.workspace.events.filter(type__startswith="task.")
        .order_by("number")
        .values_list("type", flat=True)
    )


def pair(world: World) -> tuple[Task, Task]:
    large = task(world.agent, extraction(world.agent, 6), title="Large")
    return large, task(world.agent, extraction(world.agent, 3, first=100), title="Small")


def test_it_names_a_task_and_takes_the_found_title_back(world: World) -> None:
    found = task(world.agent, extraction(world.agent, 3))
    services.rename(task=found, name="  Find the   order ", actor=world.curator)
    assert str(found) == "Find the order"
    services.rename(task=found, name="", actor=world.curator)
    assert str(found) == found.title
    assert events(world) == [TaskRenamed.type] * 2


def test_it_accepts_and_reopens(world: World) -> None:
    found = task(world.agent, extraction(world.agent, 3))
    assert services.accept(task=found, actor=world.curator).state == TaskState.ACCEPTED
    assert services.reopen(task=found, actor=world.curator).state == TaskState.FOUND
    assert services.ignore(task=found, actor=world.curator).state == TaskState.IGNORED
    assert events(world) == [TaskAccepted.type, TaskReopened.type, TaskIgnored.type]


def test_it_refuses_to_accept_what_was_ignored_meanwhile(world: World) -> None:
    found = task(world.agent, extraction(world.agent, 3))
    stale = Task.objects.get(pk=found.pk)
    services.ignore(task=found, actor=world.curator)
    with pytest.raises(ConflictError, match="ignored already"):
        services.accept(task=stale, actor=world.curator)
    assert events(world) == [TaskIgnored.type]


def test_a_merge_moves_calls_and_keys_and_an_unmerge_gives_them_back(world: World) -> None:
    large, small = pair(world)
    services.merge(tasks=[large, small], into=large, actor=world.curator)
    assert calls_of(large).count() == 9
    assert list(tasks_of(world.agent)) == [large]
    services.unmerge(task=large, actor=world.curator)
    assert calls_of(large).count() == 6
    assert list(tasks_of(world.agent)) == [large, small]


def test_a_merged_task_keeps_what_was_merged_into_it(world: World) -> None:
    large, small = pair(world)
    third = task(world.agent, extraction(world.agent, 2, first=200))
    services.merge(tasks=[third], into=small, actor=world.curator)
    services.merge(tasks=[small], into=large, actor=world.curator)
    assert task_family(large) == [large, small, third]
    services.unmerge(task=large, actor=world.curator)
    small.refresh_from_db()
    assert task_family(small) == [small, third]


def test_it_merges_nothing_when_one_of_the_tasks_is_ignored(world: World) -> None:
    large, small = pair(world)
    third = task(world.agent, extraction(world.agent, 2, first=200), state=TaskState.IGNORED)
    with pytest.raises(ConflictError, match="ignored"):
        services.merge(tasks=[small, third], into=large, actor=world.curator)
    assert task_family(large) == [large]


def test_it_refuses_a_merge_over_agents_and_of_one_task(world: World) -> None:
    large, _ = pair(world)
    other = create_agent(workspace=world.workspace, name="Other", actor=world.admin)
    foreign = task(other, extraction(other, 3))
    with pytest.raises(services.BadMergeError, match="different agents"):
        services.merge(tasks=[foreign], into=large, actor=world.curator)
    with pytest.raises(services.BadMergeError, match="two tasks"):
        services.merge(tasks=[large], into=large, actor=world.curator)


def test_a_key_is_routable_only_when_almost_all_its_calls_are_the_tasks(world: World) -> None:
    calls = [Step(world.agent).call(f"Order {n}", '{"order":"1"}') for n in range(4)]
    key = calls[0].routing_key
    found = task(world.agent, calls, routing_keys={key: KeyUse(97, of=100)})
    assert routable_keys(found) == []
    rest = task(world.agent, [], routing_keys={key: KeyUse(2, of=100)})
    services.merge(tasks=[rest], into=found, actor=world.curator)
    assert routable_keys(found) == [key]
