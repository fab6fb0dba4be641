"""Whose request it is, and about which agent."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterable, Iterator

from django.utils.text import slugify

from apps.accounts.rights import Scope as KeyScope
from apps.accounts.snapshot import Directory, KeyEntry, Keys
from apps.accounts.which_agent import AGENT_HEADER
from apps.core.raw_asgi import Scope, header
from apps.intake.answers import Refusal

WANTED = (
    "Send an API key of SLM Hub: Authorization: Bearer hub_…, x-api-key: hub_…, or as the secret of Basic."
)


async def key_of(scope: Scope, keys: Keys) -> KeyEntry:
    given = list(credentials(scope))
    if not given:
        raise _unauthorised(WANTED)
    entry = await keys.found(given)
    if entry is None:
        raise _unauthorised("This API key is unknown or was revoked. Make one in Settings.")
    if not entry.allows(KeyScope.INGEST):
        raise Refusal(403, "This API key lacks the scope 'ingest'.")
    return entry


def _unauthorised(message: str) -> Refusal:
    return Refusal(401, message, [(b"www-authenticate", b"Bearer")])


def credentials(scope: Scope) -> Iterator[str]:
    """Every secret that the request carries; of Basic the password before the name."""
    scheme, _, value = header(scope, b"authorization").partition(" ")
    if scheme.lower() == "bearer" and value.strip():
        yield value.strip()
    elif scheme.lower() == "basic":
        name, password = _basic(value)
        yield from (part for part in (password, name) if part)
    if secret := header(scope, b"x-api-key"):
        yield secret


def _basic(value: str) -> tuple[str, str]:
    try:
        name, _, password = base64.b64decode(value.strip(), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        raise _unauthorised("The Basic credentials are not base64 of NAME:SECRET.") from None
    return name, password


def agents_of(
    scope: Scope, key: KeyEntry, directory: Directory, projects: Callable[[], Iterable[str]]
) -> dict[str, int]:
    """The key's own agent, the one that a header names, the only one, or those that projects are called.

    `projects` reads the body's projects; it is asked only when nothing before it has decided.
    """
    agents = directory.agents_of(key)
    agent = directory.agent_of(key, header(scope, AGENT_HEADER.encode()))
    if agent is not None:
        return {slug: known for slug, known in agents.items() if known == agent}
    names = [header(scope, b"langsmith-project"), *_basic_name(scope)]
    found = {slug: agents[slug] for slug in map(slugify, names) if slug in agents}
    found = found or {slug: agents[slug] for slug in map(slugify, projects()) if slug in agents}
    if not found:
        raise which_agent(agents, "Say which agent sends this")
    return found


def _basic_name(scope: Scope) -> list[str]:
    scheme, _, value = header(scope, b"authorization").partition(" ")
    return [_basic(value)[0]] if scheme.lower() == "basic" else []


def which_agent(agents: Iterable[str], what: str) -> Refusal:
    known = ", ".join(sorted(agents)[:20])
    if not known:
        return Refusal(400, "This workspace has no agent yet: make one first.")
    return Refusal(
        400,
        f"{what}: use a key that belongs to one agent, or the header x-slmhub-agent: SLUG, or name an "
        f"agent as project (openinference.project.name, service.name, LangSmith's project). Known: {known}.",
    )
