"""Trying out a teacher's address before anything depends on it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import aiohttp
from asgiref.sync import async_to_sync

TIMEOUT_S = 6.0
LARGEST_ANSWER = 512 * 1024


@dataclass(frozen=True)
class Trial:
    """What came of it; `message` is for people."""

    ok: bool
    message: str


def try_teacher(*, base_url: str, key: str, model: str = "") -> Trial:
    """Asks `<base_url>/models`, for six seconds at most, without following redirects."""
    return async_to_sync(_ask)(base_url, key, model)


async def _ask(base_url: str, key: str, model: str) -> Trial:
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    try:
        # A redirect would carry the key to a host that nobody typed.
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=TIMEOUT_S)) as session,
            session.get(f"{base_url}/models", headers=headers, allow_redirects=False) as response,
        ):
            body = await response.content.read(LARGEST_ANSWER)
            return _judge(response.status, body, model)
    except TimeoutError:
        return Trial(ok=False, message=f"No answer within {TIMEOUT_S:.0f} seconds.")
    except aiohttp.ClientConnectorError:
        return Trial(ok=False, message="Nothing listens at this address, or its name is unknown.")
    except (aiohttp.ClientError, ValueError, OSError) as error:
        return Trial(ok=False, message=f"The connection failed: {type(error).__name__}.")


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
