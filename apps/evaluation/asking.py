"""Asking an OpenAI-compatible server many questions at once, over restarts of that server."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import orjson

from apps.core.errors import HubError

CONCURRENCY = 16
REQUEST_TIMEOUT_S = 60.0
GIVE_UP_AFTER_S = 90.0
LONGEST_PAUSE_S = 5.0
LARGEST_ANSWER = 4 * 2**20
PASSING = {408, 425, 429, 500, 502, 503, 504}
# The question was understood and this server cannot answer it: that is an answer, and a wrong one.
REFUSED = {400, 413, 422}


class NotServedError(HubError):
    """The server cannot be reached, or does not serve this model to this key."""

    status = 502


@dataclass(frozen=True)
class Endpoint:
    """`base_url` is what `/chat/completions` is appended to."""

    base_url: str
    model: str
    key: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Question:
    id: int
    messages: Sequence[Mapping[str, Any]]
    tools: Sequence[Mapping[str, Any]] = ()
    model: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Reply:
    """`message` is None where the server refused the question; `error` then says why."""

    id: int
    message: dict[str, Any] | None
    error: str = ""
    latency_ms: float | None = None
    confidence: float | None = None


def ask(endpoint: Endpoint, questions: Sequence[Question], *, check: Callable[[], None]) -> list[Reply]:
    """A reply to each question, in order. Raises NotServedError, and whatever `check` raises meanwhile."""
    return asyncio.run(_ask_all(endpoint, questions, check))


async def _ask_all(
    endpoint: Endpoint, questions: Sequence[Question], check: Callable[[], None]
) -> list[Reply]:
    timeout = aiohttp.ClientTimeout(total=REQUEST_TIMEOUT_S)
    headers = {"Authorization": f"Bearer {endpoint.key}"} if endpoint.key else {}
    places = asyncio.Semaphore(CONCURRENCY)
    async with aiohttp.ClientSession(timeout=timeout, headers=headers) as session:

        async def one(question: Question) -> Reply:
            async with places:
                return await _ask(session, endpoint, question, check)

        return list(await asyncio.gather(*(one(question) for question in questions)))


async def _ask(
    session: aiohttp.ClientSession, endpoint: Endpoint, question: Question, check: Callable[[], None]
) -> Reply:
    started, pause = time.monotonic(), 0.25
    while True:
        check()
        reply, trouble = await _try(session, endpoint, question)
        if reply is not None:
            return reply
        if time.monotonic() - started > GIVE_UP_AFTER_S:
            raise NotServedError(
                f"{endpoint.base_url} does not answer: {trouble}.", hint="Start it again later."
            )
        await asyncio.sleep(pause)
        pause = min(pause * 2, LONGEST_PAUSE_S)


async def _try(
    session: aiohttp.ClientSession, endpoint: Endpoint, question: Question
) -> tuple[Reply | None, str]:
    """A reply, or what went wrong for now. Raises NotServedError where waiting does not help."""
    started = time.perf_counter()
    url = f"{endpoint.base_url}/chat/completions"
    try:
        async with session.post(url, json=_body(endpoint, question), allow_redirects=False) as response:
            raw = await _bounded(response)
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        return None, type(error).__name__
    latency_ms = (time.perf_counter() - started) * 1000
    if response.status == 200:
        return _read(question.id, raw, latency_ms), ""
    words = _error_words(raw)
    if response.status in REFUSED:
        return Reply(question.id, None, error=words[:300] or f"status {response.status}"), ""
    if response.status in PASSING:
        return None, f"status {response.status} {words}"
    raise NotServedError(f"{endpoint.base_url} answers {response.status} for {endpoint.model}: {words[:300]}")


async def _bounded(response: aiohttp.ClientResponse) -> bytes:
    parts, size = [], 0
    async for part in response.content.iter_any():
        size += len(part)
        if size > LARGEST_ANSWER:
            return b""
        parts.append(part)
    return b"".join(parts)


def _body(endpoint: Endpoint, question: Question) -> dict[str, Any]:
    body = {
        **question.parameters,
        **endpoint.parameters,
        "model": endpoint.model or question.model,
        "messages": list(question.messages),
    }
    return {**body, "tools": list(question.tools)} if question.tools else body


def _read(id: int, raw: bytes, latency_ms: float) -> Reply:
    try:
        body = orjson.loads(raw)
        message = body["choices"][0]["message"]
    except (ValueError, KeyError, IndexError, TypeError):
        message = None
    if not isinstance(message, dict):
        return Reply(id, None, error="the answer is not a chat completion", latency_ms=latency_ms)
    kept = {name: message[name] for name in ("role", "content", "tool_calls") if name in message}
    return Reply(id, kept, latency_ms=latency_ms, confidence=_confidence(body.get("slmhub")))


def _confidence(extra: object) -> float | None:
    value = extra.get("confidence") if isinstance(extra, Mapping) else None
    return float(value) if isinstance(value, int | float) else None


def _error_words(raw: bytes) -> str:
    try:
        return str(orjson.loads(raw)["error"]["message"])[:500]
    except (ValueError, KeyError, TypeError):
        return ""
