"""The OpenAI-compatible surface: a raw ASGI application ahead of Django's middleware."""

from __future__ import annotations

import logging
import time
import uuid
from datetime import UTC, datetime
from typing import Any

import aiohttp
import orjson

from apps.accounts.refreshing import RefreshingSnapshot
from apps.accounts.rights import Scope as KeyScope
from apps.accounts.snapshot import Directory, KeyEntry, Keys
from apps.core.raw_asgi import Receive, Scope, Send, header, send_bytes, send_json, send_start
from apps.gateway import answers
from apps.gateway.answers import Answer, Refusal
from apps.gateway.http import read_body
from apps.gateway.snapshot import RouteEntry, Snapshot, read
from apps.spool.record import Header, PayloadKind, Served
from apps.spool.writer import SpoolFullError, SpoolWriter
from apps.traces.models import Source
from slmhub.formats.foreign_json import NotJsonError, decode
from slmhub.formats.signature import routing_signature

# Beyond what the intake may fill: the agents' own calls go on a little longer than what is told of others.
SPOOL_SHARE = 1.25

log = logging.getLogger(__name__)


class Call:
    """One request on its way through the gateway."""

    def __init__(self, scope: Scope, body: dict[str, Any], agent_id: int) -> None:
        self.body = body
        self.agent_id = agent_id
        self.id = f"gw-{uuid.uuid4().hex}"
        self.session = header(scope, b"x-slmhub-session") or _session_of(body)
        self.started_at = datetime.now(UTC)
        self.clock = time.perf_counter()

    @property
    def wants_stream(self) -> bool:
        return bool(self.body.get("stream"))

    @property
    def wants_usage(self) -> bool:
        return bool((self.body.get("stream_options") or {}).get("include_usage"))

    def header(self, answer: Answer) -> Header:
        served = Served(
            by=answer.served_by,
            fallback=answer.fallback,
            simulated=answer.simulated,
            error=answer.error,
            latency_ms=(time.perf_counter() - self.clock) * 1000,
        )
        return Header(
            kind=PayloadKind.ROW,
            source=Source.GATEWAY,
            agent=self.agent_id,
            content_type="application/json",
            served=served,
        )

    def note(self, answer: Answer) -> bytes:
        """What the spool keeps: the call as an OpenAI chat-log row."""
        row = {
            "id": self.id,
            "session_id": self.session or None,
            "timestamp": self.started_at.isoformat(),
            "request": self.body,
            "response": answer.response,
        }
        return orjson.dumps(row)


def _session_of(body: dict[str, Any]) -> str:
    metadata = body.get("metadata")
    value = metadata.get("session_id") if isinstance(metadata, dict) else None
    return value[:200] if isinstance(value, str) else ""


class Gateway:
    def __init__(self, keys: Keys, spool: SpoolWriter) -> None:
        self.keys = keys
        self.snapshot = RefreshingSnapshot(read, Snapshot())
        self.spool = spool
        self.client: aiohttp.ClientSession | None = None

    async def start(self) -> None:
        connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=60)
        # Answers pass through as they are, so nobody is asked to compress them.
        self.client = aiohttp.ClientSession(connector=connector, headers={"accept-encoding": "identity"})
        await self.keys.start()
        await self.snapshot.start()

    async def stop(self) -> None:
        await self.snapshot.stop()
        if self.client is not None:
            await self.client.close()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self.client is None:  # served without a lifespan, as in some tests
            await self.start()
        try:
            await self._serve(scope, receive, send)
        except Refusal as refusal:
            await send_json(send, refusal.status, refusal.body, refusal.headers)
        except SpoolFullError as full:
            busy = Refusal(429, str(full), "overloaded")
            await send_json(send, busy.status, busy.body, [(b"retry-after", b"%d" % full.wait_s)])

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        key = await _authenticate(scope, self.keys)
        match scope["method"], scope["path"].rstrip("/"):
            case "POST", "/v1/chat/completions":
                await self._chat(scope, receive, send, key)
            case "GET", "/v1/models":
                await send_json(send, 200, _models(self.snapshot.current, self.keys.current, key, scope))
            case _:
                raise Refusal(404, f"There is no {scope['method']} {scope['path']} here.", "not_found")

    async def _chat(self, scope: Scope, receive: Receive, send: Send, key: KeyEntry) -> None:
        snapshot = self.snapshot.current
        # Before the call is made: once an answer streams there is no status left to refuse it with.
        self.spool.check_room(SPOOL_SHARE)
        agent_id = self.keys.current.agent_of(key, header(scope, b"x-slmhub-agent"))
        if agent_id is None:
            raise Refusal(400, "Say which agent calls: header x-slmhub-agent: <slug>, or use an agent's key.")
        call = Call(scope, _parse(await read_body(receive)), agent_id)
        answer = await self._ask_specialist(snapshot, call)
        if answer is not None and not answer.fallback:
            await self._reply(send, call, answer)
        else:
            await self._ask_teacher(snapshot, call, send, fallback=answer.fallback if answer else "")

    async def _ask_specialist(self, snapshot: Snapshot, call: Call) -> Answer | None:
        route = _route_of(snapshot, call)
        if route is None or call.body.get("n", 1) != 1:
            return None
        return await answers.from_specialist(self._client, route, call.body)

    @property
    def _client(self) -> aiohttp.ClientSession:
        if self.client is None:
            raise RuntimeError("the gateway has not been started")
        return self.client

    async def _reply(self, send: Send, call: Call, answer: Answer) -> None:
        """A whole answer, recorded before its last byte leaves."""
        await self.spool.write(call.header(answer), call.note(answer))
        if call.wants_stream:
            await send_start(send, 200, b"text/event-stream", answer.headers)
            for event in answers.as_stream(answer, with_usage=call.wants_usage):
                await send_bytes(send, event, more=True)
            await send_bytes(send, b"", more=False)
        else:
            await send_json(send, answer.status, answer.response, answer.headers)

    async def _ask_teacher(self, snapshot: Snapshot, call: Call, send: Send, *, fallback: str) -> None:
        teacher = snapshot.teachers.get(call.agent_id)
        if teacher is None:
            raise Refusal(503, "This agent has no teacher; set one under Models.", "no_teacher")
        async with answers.teacher_response(self._client, teacher, call.body) as upstream:
            streamed = upstream.status == 200 and upstream.content_type == "text/event-stream"
            if not streamed:
                whole = answers.from_teacher(teacher, upstream.status, await upstream.read(), fallback)
                await self.spool.write(call.header(whole), call.note(whole))
                await send_json(send, whole.status, whole.response, whole.headers)
                return
            await send_start(send, 200, b"text/event-stream", answers.teacher_headers(teacher, fallback))
            stream, error = await _pass_on(upstream, send)
            told = answers.from_stream(teacher, stream, fallback, error)
            await self.spool.write(call.header(told), call.note(told))
            await send_bytes(send, b"", more=False)


async def _pass_on(upstream: aiohttp.ClientResponse, send: Send) -> tuple[bytes, str]:
    """Streams the upstream's bytes through; returns them all, and what broke the stream off, if anything."""
    seen = bytearray()
    try:
        async for chunk in upstream.content.iter_any():
            seen += chunk
            await send_bytes(send, chunk, more=True)
    except (aiohttp.ClientError, TimeoutError) as error:
        # The status has left already: the caller sees the stream end without [DONE].
        return bytes(seen), f"stream broke off: {type(error).__name__}"
    return bytes(seen), ""


async def _authenticate(scope: Scope, keys: Keys) -> KeyEntry:
    scheme, _, secret = header(scope, b"authorization").partition(" ")
    entry = await keys.found([secret]) if scheme.lower() == "bearer" and secret.strip() else None
    if entry is None:
        raise Refusal(401, "This API key is unknown or was revoked. Make one in Settings.", "invalid_api_key")
    if not entry.allows(KeyScope.INFER):
        raise Refusal(403, "This API key lacks the scope 'infer'.", "insufficient_scope")
    return entry


def _parse(body: bytes) -> dict[str, Any]:
    try:
        parsed = decode(body)
    except NotJsonError as error:
        raise Refusal(400, f"The body {error}.") from None
    messages = parsed.get("messages") if isinstance(parsed, dict) else None
    if not isinstance(messages, list) or not all(isinstance(message, dict) for message in messages):
        raise Refusal(400, "The body must be an object with a list `messages` of objects.")
    tools = parsed.get("tools") or []
    if not isinstance(tools, list) or not all(isinstance(tool, dict) for tool in tools):
        raise Refusal(400, "`tools` must be a list of objects.")
    if not isinstance(parsed.get("stream_options") or {}, dict):
        raise Refusal(400, "`stream_options` must be an object.")
    body_of_a_call: dict[str, Any] = parsed
    return body_of_a_call


def _route_of(snapshot: Snapshot, call: Call) -> RouteEntry | None:
    try:
        signature = routing_signature(call.body["messages"], call.body.get("tools") or [])
    except (AttributeError, TypeError):
        # Messages of no known shape have no route; the teacher says what is wrong with them.
        return None
    return snapshot.routes.get((call.agent_id, signature))


def _models(snapshot: Snapshot, directory: Directory, key: KeyEntry, scope: Scope) -> dict[str, Any]:
    agent_id = directory.agent_of(key, header(scope, b"x-slmhub-agent"))
    specialists = {route.specialist for (agent, _), route in snapshot.routes.items() if agent == agent_id}
    teacher = snapshot.teachers.get(agent_id) if agent_id is not None else None
    names = [(teacher.model, "teacher")] if teacher and teacher.model else []
    names += [(name, "specialist") for name in sorted(specialists)]
    return {
        "object": "list",
        "data": [{"id": name, "object": "model", "created": 0, "owned_by": owner} for name, owner in names],
    }
