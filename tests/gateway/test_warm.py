"""A warm gateway asks its memory, not the database."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest
from asgiref.sync import sync_to_async
from django.db.backends.utils import CursorWrapper

from apps.accounts.rights import Scope
from apps.accounts.snapshot import Keys
from apps.gateway.asgi import Gateway
from apps.registry.services import set_teacher
from apps.spool.writer import SpoolWriter
from apps.team.services import create_api_key
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

        await gateway.snapshot.stop()
        await keys.stop()
        queries.clear()
        for stream in (False, True) * 5:
            body = {**ASK, "stream": stream}
            assert (await client.post("/v1/chat/completions", json=body, headers=headers)).status_code == 200
        assert queries == []
    await gateway.stop()
