"""The client of OpenAI-compatible servers, against servers of the test."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from slmhub.chat_client import (
    AnswerTooLongError,
    ChatClient,
    Endpoint,
    NobodyThereError,
    Patience,
    TimedOutError,
    UnreachableError,
)
from tests.profile import free_port

SOON = Patience(total_s=5)


@pytest.fixture
async def base_url() -> AsyncIterator[str]:
    async def complete(request: web.Request) -> web.StreamResponse:
        given = await request.json()
        return web.json_response({"key": request.headers.get("authorization"), "given": given})

    async def models(request: web.Request) -> web.StreamResponse:
        return web.json_response({"data": [{"id": "m" * 1000}]})

    async def moved(request: web.Request) -> web.StreamResponse:
        raise web.HTTPTemporaryRedirect("/v1/chat/completions")

    async def slow(request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(5)
        return web.json_response({})

    async def torn(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"content-length": "1000"})
        await response.prepare(request)
        await response.write(b"half")
        assert request.transport is not None
        request.transport.close()
        return response

    app = web.Application()
    app.router.add_get("/v1/models", models)
    for name, answer in {"v1": complete, "moved": moved, "slow": slow, "torn": torn}.items():
        app.router.add_post(f"/{name}/chat/completions", answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    yield f"http://127.0.0.1:{port}"
    await runner.cleanup()


async def test_it_asks_with_the_endpoints_key(base_url: str) -> None:
    endpoint = Endpoint(f"{base_url}/v1", key="sk-1")
    async with ChatClient() as client, client.complete(endpoint, {"model": "m"}, SOON) as response:
        assert (response.status, response.content_type) == (200, "application/json")
        assert await response.read() == b'{"key": "Bearer sk-1", "given": {"model": "m"}}'


async def test_it_takes_no_more_than_it_is_told(base_url: str) -> None:
    async with ChatClient() as client, client.models(Endpoint(f"{base_url}/v1"), SOON) as response:
        with pytest.raises(AnswerTooLongError):
            await response.read(most=100)
    async with ChatClient() as client, client.models(Endpoint(f"{base_url}/v1"), SOON) as response:
        assert len(await response.read(most=2000)) > 1000


async def test_it_does_not_carry_a_key_along_a_redirect(base_url: str) -> None:
    endpoint = Endpoint(f"{base_url}/moved", key="sk-1")
    async with ChatClient() as client, client.complete(endpoint, {}, SOON) as response:
        assert response.status == 307


async def test_it_says_what_went_wrong(base_url: str) -> None:
    async with ChatClient() as client:
        with pytest.raises(NobodyThereError, match="ClientConnectorError"):
            async with client.complete(Endpoint("http://127.0.0.1:9"), {}, SOON):
                pass
        with pytest.raises(TimedOutError):
            async with client.complete(Endpoint(f"{base_url}/slow"), {}, Patience(total_s=0.05)):
                pass
        with pytest.raises(UnreachableError, match="ClientPayloadError"):
            async with client.complete(Endpoint(f"{base_url}/torn"), {}, SOON) as response:
                await response.read()


async def test_what_came_of_a_stream_that_breaks_off_is_there(base_url: str) -> None:
    seen = []
    async with ChatClient() as client, client.complete(Endpoint(f"{base_url}/torn"), {}, SOON) as response:
        with pytest.raises(UnreachableError):
            async for chunk in response.chunks():
                seen.append(chunk)
    assert seen == [b"half"]
