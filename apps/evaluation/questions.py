"""Asking an OpenAI-compatible server many questions at once, over restarts of that server."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from apps.core.errors import HubError
from slmhub.chat_client import AnswerTooLongError, ChatClient, Endpoint, Patience, UnreachableError

CONCURRENCY = 16
PATIENCE = Patience(total_s=60.0)
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
class Respondent:
    """Who is asked: a model of a server, with what every question to it says beside the messages."""

    endpoint: Endpoint
    model: str
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


def ask(respondent: Respondent, questions: Sequence[Question], *, check: Callable[[], None]) -> list[Reply]:
    """A reply to each question, in order. Raises NotServedError, and whatever `check` raises meanwhile."""
    return asyncio.run(_ask_all(respondent, questions, check))


async def _ask_all(
    respondent: Respondent, questions: Sequence[Question], check: Callable[[], None]
) -> list[Reply]:
    places = asyncio.Semaphore(CONCURRENCY)
    async with ChatClient() as client:

        async def one(question: Question) -> Reply:
            async with places:
                return await _ask(client, respondent, question, check)

        return list(await asyncio.gather(*(one(question) for question in questions)))


async def _ask(
    client: ChatClient, respondent: Respondent, question: Question, check: Callable[[], None]
) -> Reply:
    started, pause = time.monotonic(), 0.25
    while True:
        check()
        reply, trouble = await _try(client, respondent, question)
        if reply is not None:
            return reply
        if time.monotonic() - started > GIVE_UP_AFTER_S:
            raise NotServedError(
                f"{respondent.endpoint.base_url} does not answer: {trouble}.", hint="Start it again later."
            )
        await asyncio.sleep(pause)
        pause = min(pause * 2, LONGEST_PAUSE_S)


async def _try(client: ChatClient, respondent: Respondent, question: Question) -> tuple[Reply | None, str]:
    """A reply, or what went wrong for now. Raises NotServedError where waiting does not help."""
    started = time.perf_counter()
    endpoint = respondent.endpoint
    try:
        async with client.complete(endpoint, _body(respondent, question), PATIENCE) as response:
            raw = await response.read(LARGEST_ANSWER)
    except UnreachableError as error:
        return None, str(error)
    except AnswerTooLongError:
        raw = b""
    latency_ms = (time.perf_counter() - started) * 1000
    if response.status == 200:
        return _read(question.id, raw, latency_ms), ""
    words = _error_words(raw)
    if response.status in REFUSED:
        return Reply(question.id, None, error=words[:300] or f"status {response.status}"), ""
    if response.status in PASSING:
        return None, f"status {response.status} {words}"
    raise NotServedError(
        f"{endpoint.base_url} answers {response.status} for {respondent.model}: {words[:300]}"
    )


def _body(respondent: Respondent, question: Question) -> dict[str, Any]:
    body = {
        **question.parameters,
        **respondent.parameters,
        "model": respondent.model or question.model,
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
