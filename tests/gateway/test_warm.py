"""A warm gateway asks its memory, not the database."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest
from asgiref.sync import sync_to_async
from django.db.backends.utils import CursorWrapper

from apps.accounts import snapshot
from apps.accounts.rights import Scope
from apps.accounts.snapshot import Keys
from apps.core.encryption import new_key, seal
from apps.gateway.asgi import Gateway
from apps.gateway.snapshot import read
from apps.registry.models import Teacher
from apps.registry.services import set_teacher
from apps.spool.writer import SpoolWriter
from apps.team.services import create_agent, create_api_key
from tests.gateway.desk import ASK
from tests.gateway.specialists import Upstream
from tests.world import World

pytestmark = pytest.mark.django_db(transaction=True, databases="__all__")


def prepared(world: World, url: str) -> str:
    set_teacher(agent=world.agent, name="T", base_url=f"{url}/v1", model="big", key="sk-1", actor=world.admin)
    _, secret = create_api_key(workspace=world.workspace, name="k", scopes=[Scope.INFER], actor=world.admin)
    return secret


async def test_a_warm_request_makes_no_query(
    world: World, upstream: Upstream, spool: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = await sync_to_async(prepared)(world, upstream.url)
    queries: list[str] = []
    execute = CursorWrapper.execute

    def counted(cursor: CursorWrapper, sql: str, params: Any = None) -> Any:
        queries.append(sql)
        return execute(cursor, sql, params)

    keys = Keys()
    gateway = Gateway(keys, SpoolWriter(spool))
    headers = {"authorization": f"Bearer {secret}"}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(gateway), base_url="http://hub") as client:
        monkeypatch.setattr(CursorWrapper, "execute", counted)
        assert (await client.post("/v1/chat/completions", json=ASK, headers=headers)).status_code == 200
        assert queries != []

        await gateway.holder.stop()
        await keys.stop()
        queries.clear()
        for stream in (False, True) * 5:
            body = {**ASK, "stream": stream}
            assert (await client.post("/v1/chat/completions", json=body, headers=headers)).status_code == 200
        assert queries == []
    await gateway.stop()


def test_one_unreadable_teacher_keeps_no_other_change_from_coming_into_force(world: World) -> None:
    other = create_agent(workspace=world.workspace, name="Other", actor=world.admin)
    for agent in (world.agent, other):
        set_teacher(agent=agent, name="T", base_url="http://127.0.0.1:1/v1", key="sk", actor=world.admin)
    Teacher.objects.filter(agent=other).update(sealed_key=seal(new_key(), b"moved"))

    assert set(read().teachers) == {world.agent.pk}


def test_what_is_off_or_revoked_is_not_in_the_snapshot(world: World) -> None:
    key, _ = create_api_key(workspace=world.workspace, name="k", scopes=[Scope.INFER], actor=world.admin)
    assert key.digest in snapshot.read().keys

    world.workspace.api_keys.update(revoked_at=key.created_at)
    assert snapshot.read().keys == {}


def test_a_snapshot_costs_the_same_for_any_number_of_keys(
    world: World, django_assert_num_queries: Any
) -> None:
    for number in range(20):
        create_api_key(workspace=world.workspace, name=str(number), scopes=[Scope.INFER], actor=world.admin)

    with django_assert_num_queries(2):
        assert len(snapshot.read().keys) == 20
    with django_assert_num_queries(2):
        read()
