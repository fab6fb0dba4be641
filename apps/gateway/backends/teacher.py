"""Asks a teacher; its answer is the caller's, streamed as it comes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from apps.gateway.backends.answers import Streamed, Whole
from apps.gateway.policy import TeacherEntry
from apps.gateway.refusals import Refusal
from slmhub.chat_client import ChatClient, Patience, UnreachableError
from slmhub.formats.foreign_json import NotJsonError, decode

TEACHER = "teacher"


@asynccontextmanager
async def asked(
    client: ChatClient, teacher: TeacherEntry, request: dict[str, Any], patience: Patience
) -> AsyncIterator[Whole | Streamed]:
    """Raises Refusal when it cannot be reached."""
    if teacher.model:
        request = {**request, "model": teacher.model}
    try:
        async with client.complete(teacher.endpoint, request, patience) as reply:
            if reply.status == 200 and reply.content_type == "text/event-stream":
                yield Streamed(reply.chunks(), TEACHER, teacher.simulated)
            else:
                yield _whole(reply.status, await reply.read(), teacher.simulated)
    except UnreachableError as error:
        raise Refusal(502, f"The teacher cannot be reached ({error}).", "upstream_error") from error


def _whole(status: int, body: bytes, simulated: bool) -> Whole:
    try:
        response = decode(body)
    except NotJsonError:
        response = None
    if not isinstance(response, dict):
        status = 502 if status == 200 else status
        message = "The teacher's answer is not a JSON object."
        response = {"error": {"message": message, "type": "upstream_error", "code": "upstream_error"}}
    return Whole(response, TEACHER, simulated, status)
