"""Lets calls through to the API while there is room for them."""

from __future__ import annotations

from typing import Any

from apps.core.errors import error_body
from apps.core.raw_asgi import Receive, Scope, Send, header, send_json
from apps.intake.answers import Refusal, busy
from apps.intake.bodies import Budget
from apps.spool.writer import SpoolFullError, SpoolWriter

CALLS = "/api/v1/calls"
# Of a body whose length is not announced, and of what its rows need beside it.
UNKNOWN_LENGTH = 32 * 1024**2


class CallsGate:
    """ASGI middleware: 429 with Retry-After before `POST /api/v1/calls` is read."""

    def __init__(self, app: Any, budget: Budget, spool: SpoolWriter) -> None:
        self.app = app
        self.budget = budget
        self.spool = spool

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].rstrip("/") != CALLS:
            await self.app(scope, receive, send)
            return
        announced = header(scope, b"content-length")
        with self.budget.claim() as claim:
            try:
                self.spool.check_room()
                claim.grow(int(announced) if announced.isdigit() else UNKNOWN_LENGTH)
            except SpoolFullError as full:
                await _refuse(send, busy(str(full), full.wait_s))
            except Refusal as refusal:
                await _refuse(send, refusal)
            else:
                await self.app(scope, receive, send)


async def _refuse(send: Send, refusal: Refusal) -> None:
    await send_json(send, refusal.status, error_body("BusyError", refusal.message), refusal.headers)
