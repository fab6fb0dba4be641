"""Which agent a request is about: one rule for every program that shows an API key."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from apps.core.errors import HubError

AGENT_HEADER = "x-slmhub-agent"

Found = TypeVar("Found")


class ForeignAgentError(HubError):
    """The key speaks for one agent, and the request names another."""

    status = 403


class NoSuchAgentError(HubError):
    """The workspace of the key has no agent of this name; those of others are not there either."""

    status = 404


def chosen(agents: Mapping[str, Found], named: str, *, bound: bool) -> Found | None:
    """Of the agents that a key may speak for, by slug, the one that is named, else the only one.

    None where nothing is named and there is no only one. `bound`: the key belongs to one agent.
    Raises ForeignAgentError, NoSuchAgentError.
    """
    if not named:
        return next(iter(agents.values())) if len(agents) == 1 else None
    if named in agents:
        return agents[named]
    if bound:
        own = next(iter(agents), "")
        raise ForeignAgentError(f"This API key belongs to the agent {own!r}.", hint="Name that one, or none.")
    raise NoSuchAgentError(f"There is no agent {named[:60]!r} in this workspace.")
