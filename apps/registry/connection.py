"""Trying out a teacher's address before anything depends on it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from asgiref.sync import async_to_sync

from slmhub.chat_client import (
    AnswerTooLongError,
    ChatClient,
    Endpoint,
    NobodyThereError,
    Patience,
    TimedOutError,
    UnreachableError,
)

PATIENCE = Patience(total_s=6.0)
LARGEST_ANSWER = 512 * 1024


@dataclass(frozen=True)
class Trial:
    """What came of it; `message` is for people."""

    ok: bool
    message: str


def try_teacher(*, base_url: str, key: str, model: str = "") -> Trial:
    """Asks `<base_url>/models`, for six seconds at most, without following redirects."""
    return async_to_sync(_ask)(Endpoint(base_url, key), model)


async def _ask(endpoint: Endpoint, model: str) -> Trial:
    try:
        async with ChatClient() as client, client.models(endpoint, PATIENCE) as response:
            return _judge(response.status, await response.read(LARGEST_ANSWER), model)
    except TimedOutError:
        return Trial(ok=False, message=f"No answer within {PATIENCE.total_s:.0f} seconds.")
    except NobodyThereError:
        return Trial(ok=False, message="Nothing listens at this address, or its name is unknown.")
    except (UnreachableError, AnswerTooLongError, ValueError) as error:
        return Trial(ok=False, message=f"The connection failed: {error}.")


def _judge(status: int, body: bytes, model: str) -> Trial:
    if status in {401, 403}:
        return Trial(ok=False, message=f"The server refused the key (status {status}).")
    if 300 <= status < 400:
        return Trial(
            ok=False, message=f"The server answers with a redirect (status {status}); give its own address."
        )
    if status != 200:
        return Trial(
            ok=False, message=f"Status {status} for /models: does the address end where /models begins?"
        )
    offered = _names(body)
    if offered is None:
        return Trial(ok=False, message="Something answers, but not with a list of models.")
    if model and offered and model not in offered:
        return Trial(
            ok=False, message=f"The server answers but does not offer {model}; it has {_few(offered)}."
        )
    return Trial(
        ok=True, message=f"The server answers and offers {_few(offered) or 'models it does not list'}."
    )


def _names(body: bytes) -> list[str] | None:
    try:
        value: Any = json.loads(body)
        return [str(row["id"])[:80] for row in value["data"]]
    except (ValueError, TypeError, KeyError, RecursionError):
        return None


def _few(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
