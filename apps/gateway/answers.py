"""Asks the specialist or the teacher, and judges what comes back."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import orjson
from django.conf import settings

from apps.gateway.snapshot import RouteEntry, TeacherEntry
from slmhub.formats.providers.chat_stream import fold, unfold
from slmhub.formats.signature import NOTHING, action_of

SPECIALIST_TIMEOUT = aiohttp.ClientTimeout(total=10, sock_connect=1)
TEACHER_TIMEOUT = aiohttp.ClientTimeout(total=600, sock_connect=5)
TEACHER = "teacher"


class Refusal(Exception):  # noqa: N818 - an answer to the caller, in OpenAI's error shape
    """The call ends here with this status."""

    def __init__(self, status: int, message: str, code: str = "invalid_request_error") -> None:
        super().__init__(message)
        self.status = status
        self.body = {"error": {"message": message, "type": code, "code": code}}
        self.headers: list[tuple[bytes, bytes]] = []


@dataclass(frozen=True)
class Answer:
    """A whole answer. `fallback` says why the specialist's was not used."""

    response: dict[str, Any]
    served_by: str
    status: int = 200
    fallback: str = ""
    simulated: bool = False
    error: str = ""
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)


async def from_specialist(client: aiohttp.ClientSession, route: RouteEntry, body: dict[str, Any]) -> Answer:
    """The specialist's answer, or one with the reason to fall back."""
    request = {**body, "model": route.specialist, "stream": False}
    url = f"{settings.SPECIALIST_SERVER_URL}/v1/chat/completions"
    try:
        async with client.post(
            url, data=orjson.dumps(request), headers=_JSON, timeout=SPECIALIST_TIMEOUT
        ) as reply:
            response = orjson.loads(await reply.read())
            reason = "" if reply.status == 200 else f"specialist answered {reply.status}"
    except (aiohttp.ClientError, TimeoutError, orjson.JSONDecodeError) as error:
        return Answer({}, route.specialist, fallback=f"specialist unreachable: {type(error).__name__}")
    return Answer(
        response=response,
        served_by=route.specialist,
        fallback=reason or doubt(route, response),
        headers=[(b"x-slmhub-served-by", route.specialist.encode())],
    )


def doubt(route: RouteEntry, response: dict[str, Any]) -> str:
    """Why this answer should not be used; empty when it should."""
    try:
        confidence = float(response["slmhub"]["confidence"])
        action = action_of(response["choices"][0]["message"])
    except (KeyError, IndexError, TypeError, ValueError, AttributeError):
        return "malformed answer"
    if confidence < route.threshold:
        return f"confidence {confidence:.2f} below {route.threshold:.2f}"
    if action == NOTHING:
        return "malformed answer"
    if route.actions and action not in route.actions:
        return "answer is of another kind than the task's"
    return ""


_JSON = {"content-type": "application/json"}


@asynccontextmanager
async def teacher_response(
    client: aiohttp.ClientSession, teacher: TeacherEntry, body: dict[str, Any]
) -> AsyncIterator[aiohttp.ClientResponse]:
    request = {**body, **({"model": teacher.model} if teacher.model else {})}
    headers = {**_JSON, **({"authorization": f"Bearer {teacher.key}"} if teacher.key else {})}
    try:
        async with client.post(
            teacher.url, data=orjson.dumps(request), headers=headers, timeout=TEACHER_TIMEOUT
        ) as response:
            yield response
    except (aiohttp.ClientError, TimeoutError) as error:
        raise Refusal(
            502, f"The teacher cannot be reached ({type(error).__name__}).", "upstream_error"
        ) from error


def teacher_headers(teacher: TeacherEntry, fallback: str) -> list[tuple[bytes, bytes]]:
    headers = [(b"x-slmhub-served-by", TEACHER.encode())]
    if fallback:
        headers.append((b"x-slmhub-fallback", fallback.encode("latin-1", "replace")))
    if teacher.simulated:
        headers.append((b"x-slmhub-simulated", b"true"))
    return headers


def from_teacher(teacher: TeacherEntry, status: int, body: bytes, fallback: str) -> Answer:
    try:
        response = orjson.loads(body)
    except orjson.JSONDecodeError:
        response = None
    if not isinstance(response, dict):
        status = 502 if status == 200 else status
        response = Refusal(status, "The teacher's answer is not a JSON object.", "upstream_error").body
    return Answer(
        response=response,
        served_by=TEACHER,
        status=status,
        fallback=fallback,
        simulated=teacher.simulated,
        error="" if status == 200 else f"HTTP {status}",
        headers=teacher_headers(teacher, fallback),
    )


def from_stream(teacher: TeacherEntry, stream: bytes, fallback: str, error: str) -> Answer:
    return Answer(fold(stream), TEACHER, fallback=fallback, simulated=teacher.simulated, error=error)


def as_stream(answer: Answer, *, with_usage: bool) -> list[bytes]:
    return unfold(answer.response, with_usage=with_usage)
