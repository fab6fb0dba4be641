"""A small server in the place of the specialist server: it answers what a test tells it to."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from tests.profile import free_port

Respond = Callable[[web.Request], Awaitable[web.StreamResponse]]
CALL = {"id": "call_1", "type": "function", "function": {"name": "lookup", "arguments": '{"order": "A-1"}'}}
LOOKUP = {"role": "assistant", "content": None, "tool_calls": [CALL]}


def completion(message: Any, *, confidence: Any = 0.97) -> dict[str, Any]:
    return {
        "id": "chatcmpl-specialist",
        "object": "chat.completion",
        "created": 1,
        "model": "specialist",
        "choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}],
        "usage": {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10},
        "slmhub": {"confidence": confidence, "mean_confidence": 0.99, "sha256": "0" * 64},
    }


class Upstream:
    """Serves `respond` on a port of its own, from a thread; notes what it was asked."""

    def __init__(self) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.asked: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.respond: Respond = self.lookup
        self._loop = asyncio.new_event_loop()
        self._runner: web.AppRunner | None = None
        threading.Thread(target=self._loop.run_forever, daemon=True).start()

    def start(self) -> None:
        self._do(self._start())

    def stop(self) -> None:
        self._do(self._stop())

    def says(self, body: Any, *, status: int = 200) -> None:
        async def respond(request: web.Request) -> web.StreamResponse:
            if isinstance(body, bytes):
                return web.Response(body=body, status=status, content_type="application/json")
            return web.json_response(body, status=status)

        self.respond = respond

    async def lookup(self, request: web.Request) -> web.StreamResponse:
        return web.json_response(completion(LOOKUP))

    def _do(self, work: Any) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _start(self) -> None:
        app = web.Application(client_max_size=2**26)
        app.router.add_post("/v1/chat/completions", self._serve)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port, reuse_address=True).start()

    async def _stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(await request.json())
        self.headers.append(dict(request.headers))
        return await self.respond(request)
