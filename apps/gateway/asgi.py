"""The OpenAI-compatible gateway: a raw ASGI application ahead of Django's middleware, which wires its rooms.

A surface parses the request, the policy plans who is asked, backends ask; surfaces render what comes back.
"""

from __future__ import annotations

import time

from apps.accounts.refreshing import RefreshingSnapshot
from apps.accounts.rights import Scope as KeyScope
from apps.accounts.snapshot import KeyEntry, Keys
from apps.accounts.which_agent import AGENT_HEADER
from apps.core.errors import BodyTooLargeError, HubError
from apps.core.raw_asgi import Receive, Scope, Send, header, read_body, send_json
from apps.gateway.answering import answer
from apps.gateway.calls import Call, session_in
from apps.gateway.policy import plan_for, route_of
from apps.gateway.refusals import Refusal
from apps.gateway.snapshot import Snapshot, read
from apps.gateway.surfaces import SURFACES, chat, models
from apps.gateway.surfaces.surface import Surface
from apps.spool.writer import SpoolFullError, SpoolWriter
from slmhub.chat_client import ChatClient

# Beyond what the intake may fill: the agents' own calls go on a little longer than what is told of others.
SPOOL_SHARE = 1.25
LARGEST_BODY = 16 * 1024**2


class Gateway:
    def __init__(self, keys: Keys, spool: SpoolWriter) -> None:
        self.keys = keys
        self.snapshot = RefreshingSnapshot(read, Snapshot())
        self.spool = spool
        self.client = ChatClient()

    async def start(self) -> None:
        self.client.open()
        await self.keys.start()
        await self.snapshot.start()

    async def stop(self) -> None:
        await self.snapshot.stop()
        await self.client.close()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not self.client.is_open:  # served without a lifespan, as in some tests
            await self.start()
        path = scope["path"].rstrip("/")
        surface = SURFACES.get(path, chat)
        try:
            await self._serve(path, scope, receive, send)
        except Refusal as refused:
            await send_json(send, refused.status, surface.refusal(refused), refused.headers)
        except HubError as error:
            code = "too_large" if isinstance(error, BodyTooLargeError) else "invalid_request_error"
            refusal = Refusal(error.status, error.sentence, code)
            await send_json(send, refusal.status, surface.refusal(refusal))
        except SpoolFullError as full:
            busy = Refusal(429, str(full), "overloaded")
            wait = [(b"retry-after", b"%d" % full.wait_s)]
            await send_json(send, busy.status, surface.refusal(busy), wait)

    async def _serve(self, path: str, scope: Scope, receive: Receive, send: Send) -> None:
        key = await self._key_of(scope)
        agent_id = self.keys.current.agent_of(key, header(scope, AGENT_HEADER.encode()))
        match scope["method"], path:
            case "POST", path if path in SURFACES:
                await self._answer(SURFACES[path], agent_id, scope, receive, send)
            case "GET", models.PATH:
                await send_json(send, 200, models.offered(self.snapshot.current, agent_id))
            case _:
                raise Refusal(404, f"There is no {scope['method']} {scope['path']} here.", "not_found")

    async def _key_of(self, scope: Scope) -> KeyEntry:
        scheme, _, secret = header(scope, b"authorization").partition(" ")
        entry = await self.keys.found([secret]) if scheme.lower() == "bearer" and secret.strip() else None
        if entry is None:
            message = "This API key is unknown or was revoked. Make one in Settings."
            raise Refusal(401, message, "invalid_api_key")
        if not entry.allows(KeyScope.INFER):
            raise Refusal(403, "This API key lacks the scope 'infer'.", "insufficient_scope")
        return entry

    async def _answer(
        self, surface: Surface, agent_id: int | None, scope: Scope, receive: Receive, send: Send
    ) -> None:
        # One state for the whole call, whatever changes meanwhile.
        snapshot = self.snapshot.current
        # Before the call is made: once an answer streams there is no status left to refuse it with.
        self.spool.check_room(SPOOL_SHARE)
        if agent_id is None:
            raise Refusal(400, "Say which agent calls: header x-slmhub-agent: <slug>, or use an agent's key.")
        length = header(scope, b"content-length")
        asked = surface.parse(await read_body(receive, most=LARGEST_BODY, announced=length))
        call = Call(
            surface=surface,
            agent_id=agent_id,
            received=asked.received,
            request=asked.request,
            session=header(scope, b"x-slmhub-session") or session_in(asked.received),
        )
        plan = plan_for(
            call.request,
            route=route_of(snapshot.routes, agent_id, call.request),
            teacher=snapshot.teachers.get(agent_id),
            now=time.monotonic(),
        )
        await answer(call, plan, self.client, self.spool, send)
