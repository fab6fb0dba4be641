"""From the plan to the caller: asks who is on it, gives the first good answer and records it."""

from __future__ import annotations

import msgspec

from apps.core.raw_asgi import Send, send_bytes, send_json, send_start
from apps.gateway import backends
from apps.gateway.backends.answers import Doubt, Streamed, Whole
from apps.gateway.calls import Call
from apps.gateway.policy import Plan
from apps.gateway.refusals import Refusal
from apps.spool.record import Served
from apps.spool.writer import SpoolWriter
from slmhub.chat_client import ChatClient, UnreachableError
from slmhub.formats.providers.chat_stream import fold, unfold

EVENTS = b"text/event-stream"


async def answer(call: Call, plan: Plan, client: ChatClient, spool: SpoolWriter, send: Send) -> None:
    """Every answer is recorded before its last byte leaves. Raises Refusal when nobody can be asked."""
    fallback = plan.fallback
    for step in plan.steps:
        async with backends.asked(client, step, call.request) as answer:
            if isinstance(answer, Doubt):
                fallback = answer.why
                continue
            served = Served(by=answer.served_by, fallback=fallback, simulated=answer.simulated)
            if isinstance(answer, Whole):
                await _give(call, answer, served, spool, send)
            else:
                await _pass_on(call, answer, served, spool, send)
            return
    raise Refusal(503, "This agent has no teacher; set one under Models.", "no_teacher")


async def _give(call: Call, answer: Whole, served: Served, spool: SpoolWriter, send: Send) -> None:
    response = call.surface.render(answer.response)
    told = msgspec.structs.replace(served, error=answer.error, latency_ms=call.elapsed_ms)
    await spool.write(call.header(told), call.payload(response))
    if call.wants_stream and answer.is_checked:
        relay = call.surface.relay(call.request)
        await send_start(send, 200, EVENTS, headers_of(served))
        for event in unfold(answer.response, with_usage=call.wants_usage):
            if piece := relay(event):
                await send_bytes(send, piece, more=True)
        await send_bytes(send, relay(b""), more=False)
    else:
        await send_json(send, answer.status, response, headers_of(served))


async def _pass_on(call: Call, answer: Streamed, served: Served, spool: SpoolWriter, send: Send) -> None:
    relay = call.surface.relay(call.request)
    seen, ttft_ms, error = bytearray(), None, ""
    await send_start(send, 200, EVENTS, headers_of(served))
    try:
        async for chunk in answer.chunks:
            ttft_ms = ttft_ms or call.elapsed_ms
            seen += chunk
            if piece := relay(chunk):
                await send_bytes(send, piece, more=True)
    except UnreachableError as broken:
        # The status has left already: the caller sees the stream end without its last event.
        error = f"stream broke off: {broken}"
    response = call.surface.render(fold(bytes(seen)))
    told = msgspec.structs.replace(served, error=error, latency_ms=call.elapsed_ms, ttft_ms=ttft_ms)
    await spool.write(call.header(told), call.payload(response))
    await send_bytes(send, b"" if error else relay(b""), more=False)


def headers_of(served: Served) -> list[tuple[bytes, bytes]]:
    headers = [(b"x-slmhub-served-by", served.by.encode())]
    if served.fallback:
        headers.append((b"x-slmhub-fallback", served.fallback.encode("latin-1", "replace")))
    if served.simulated:
        headers.append((b"x-slmhub-simulated", b"true"))
    return headers
