"""The revision moves in the transaction of every change of keys, agents, teachers and routes."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.db import transaction

from apps.accounts import revision
from apps.accounts.rights import Scope
from apps.registry.services import set_teacher
from apps.rollouts import services as rollouts
from apps.team.services import create_agent, create_api_key, revoke_api_key
from tests.rollouts.evidence import evaluation, task
from tests.world import World

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.django_db

Change = Callable[[], object]


def new_agent(world: World) -> Change:
    return lambda: create_agent(workspace=world.workspace, name="Other", actor=world.admin)


def new_key(world: World) -> Change:
    return lambda: create_api_key(
        workspace=world.workspace, name="k", scopes=[Scope.INFER], actor=world.admin
    )


def revoked_key(world: World) -> Change:
    key, _ = create_api_key(workspace=world.workspace, name="k", scopes=[Scope.INFER], actor=world.admin)
    return lambda: revoke_api_key(key=key, actor=world.admin)


def new_teacher(world: World) -> Change:
    return lambda: set_teacher(agent=world.agent, name="T", base_url="http://127.0.0.1:1/v1", key="sk")


def approved(world: World) -> Change:
    rollout = rollouts.request(evaluation=evaluation(world, task(world)), actor=world.engineer)
    return lambda: rollouts.approve(rollout=rollout, actor=world.approver)


def rolled_back(world: World) -> Change:
    rollout = rollouts.request(evaluation=evaluation(world, task(world)), actor=world.engineer)
    rollouts.approve(rollout=rollout, actor=world.approver)
    return lambda: rollouts.roll_back(rollout=rollout, actor=world.approver)


CHANGES = [new_agent, new_key, revoked_key, new_teacher, approved, rolled_back]


@pytest.mark.parametrize("prepared", CHANGES)
def test_every_change_moves_it_and_one_that_is_undone_does_not(
    world: World, prepared: Callable[[World], Change]
) -> None:
    change = prepared(world)
    before = revision.current()
    with transaction.atomic():
        change()
        assert revision.current() != before
        transaction.set_rollback(True)
    assert revision.current() == before


@pytest.mark.django_db(transaction=True)
def test_it_cannot_be_moved_outside_the_transaction_of_a_change() -> None:
    with pytest.raises(RuntimeError):
        revision.touch()


ROWS = {"ApiKey", "Agent", "Teacher", "Route"}
RELATED = {"api_keys", "agents", "teachers", "routes"}
VERBS = {
    "create",
    "update",
    "delete",
    "save",
    "get_or_create",
    "update_or_create",
    "bulk_create",
    "bulk_update",
}
# When a key was last used lets nobody in; sealing a key is a part of `set_teacher`.
NEED_NOT = {"_note_use", "_note_uses", "_seal_key"}


def writes(node: ast.AST) -> bool:
    """`ApiKey.objects.filter(…).update(…)`, `workspace.agents.create(…)`, `teacher.save()`."""
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
        return False
    chain = list(ast.walk(node.func.value))
    names = {part.id for part in chain if isinstance(part, ast.Name)}
    attributes = {part.attr for part in chain if isinstance(part, ast.Attribute)}
    if node.func.attr not in VERBS or "snapshot" in names:
        return False
    return bool((names & ROWS and "objects" in attributes) or names == {"teacher"} or attributes & RELATED)


def functions() -> Iterator[tuple[str, bool, bool]]:
    """Every function of the apps: whether it writes such a row, and whether it touches the revision."""
    for path in (ROOT / "apps").rglob("*.py"):
        source = path.read_text()
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and "migrations" not in path.parts:
                body = ast.get_source_segment(source, node) or ""
                yield node.name, any(map(writes, ast.walk(node))), "revision.touch()" in body


def test_nothing_that_writes_these_rows_forgets_it() -> None:
    told = {name: touches for name, is_writer, touches in functions() if is_writer}
    silent = {name for name, touches in told.items() if not touches}

    assert set(told) >= {"create_agent", "create_api_key", "revoke_api_key", "set_teacher", "approve"}
    assert silent == NEED_NOT
