"""What the SDKs of others ask before they send: who they talk to, and how large a batch may be."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from apps.accounts.snapshot import Keys
from apps.core.raw_asgi import Scope
from apps.intake.answers import Reply, json_reply
from apps.intake.auth import key_of

# The Langfuse server whose wire the SDKs find here.
LANGFUSE_VERSION = "3.0.0"
LANGSMITH_INFO = {
    "version": "0.10.0",
    "license_expiration_time": None,
    "batch_ingest_config": {
        "use_multipart_endpoint": True,
        "scale_up_qsize_trigger": 1000,
        "scale_up_nthreads_limit": 4,
        "scale_down_nempty_trigger": 4,
        "size_limit": 100,
        "size_limit_bytes": 20_971_520,
    },
    "instance_flags": {"zstd_compression_enabled": True},
}

Answer = Callable[[Scope, Keys], Awaitable[Reply]]


def answers_at(path: str) -> Answer | None:
    return _ANSWERS.get(path)


async def _health(scope: Scope, keys: Keys) -> Reply:
    return json_reply(200, {"status": "OK", "version": LANGFUSE_VERSION})


async def _projects(scope: Scope, keys: Keys) -> Reply:
    """The agents that the key speaks for: an agent is what a project is to Langfuse."""
    key = await key_of(scope, keys)
    organization = {"id": str(key.workspace_id), "name": "SLM Hub workspace"}
    projects = [
        {"id": str(agent), "name": slug, "organization": organization, "metadata": {}}
        for slug, agent in sorted(keys.current.agents_of(key).items())
    ]
    return json_reply(200, {"data": projects})


async def _info(scope: Scope, keys: Keys) -> Reply:
    return json_reply(200, LANGSMITH_INFO)


_ANSWERS: dict[str, Answer] = {
    "/api/public/health": _health,
    "/api/public/projects": _projects,
    "/info": _info,
    "/api/v1/info": _info,
}
