"""Asks a specialist; whatever is wrong with its answer is a reason to ask somebody else."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import orjson
from django.conf import settings

from apps.gateway import policy
from apps.gateway.backends.answers import Doubt, Whole
from apps.gateway.policy import RouteEntry
from slmhub.chat_client import ChatClient, Endpoint, Patience, UnreachableError


@asynccontextmanager
async def asked(
    client: ChatClient, route: RouteEntry, request: dict[str, Any], patience: Patience
) -> AsyncIterator[Whole | Doubt]:
    """Whole even where a stream is wanted: it is judged before anything of it leaves."""
    endpoint = Endpoint(f"{settings.SPECIALIST_SERVER_URL}/v1")
    try:
        async with client.complete(
            endpoint, {**request, "model": route.specialist, "stream": False}, patience
        ) as reply:
            response = orjson.loads(await reply.read())
    except (UnreachableError, orjson.JSONDecodeError) as error:
        name = "JSONDecodeError" if isinstance(error, orjson.JSONDecodeError) else error
        yield Doubt(f"specialist unreachable: {name}")
        return
    if reply.status != 200:
        yield Doubt(f"specialist answered {reply.status}")
    elif why := policy.doubt(route, response):
        yield Doubt(why)
    else:
        yield Whole(response, served_by=route.specialist, is_checked=True)
