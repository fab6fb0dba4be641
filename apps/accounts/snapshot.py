"""Keys and agents in memory, for the raw ASGI applications: a request makes no database query.

A key that is not known is looked for once more, in what has changed by then: SDKs take 401 as final and drop
spans.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from asgiref.sync import sync_to_async
from django.db import Error, close_old_connections
from django.db.models import JSONField, Value
from django.utils import timezone

from apps.accounts.models import Agent, ApiKey
from apps.accounts.refreshing import RefreshingSnapshot
from apps.accounts.rights import Scope
from apps.accounts.which_agent import chosen

# "Last used" of a key may lag by so much: a write with every request would slow all of them.
NOTE_USE_EVERY_S = 15.0

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class KeyEntry:
    id: int
    workspace_id: int
    agent_id: int | None
    scopes: frozenset[str]

    def allows(self, scope: Scope) -> bool:
        return scope.value in self.scopes


@dataclass(frozen=True)
class Directory:
    """The keys that are in force, by the SHA-256 of their secret, and each workspace's agents by slug."""

    keys: dict[str, KeyEntry] = field(default_factory=dict)
    agents: dict[int, dict[str, int]] = field(default_factory=dict)

    def key_of(self, secret: str) -> KeyEntry | None:
        return self.keys.get(hashlib.sha256(secret.strip().encode()).hexdigest())

    def first_key(self, secrets: Iterable[str]) -> KeyEntry | None:
        return next((entry for secret in secrets if (entry := self.key_of(secret))), None)

    def agents_of(self, key: KeyEntry) -> dict[str, int]:
        """Slug and id of the agents that the key may speak for."""
        all_of_them = self.agents.get(key.workspace_id, {})
        return {slug: agent for slug, agent in all_of_them.items() if key.agent_id in (None, agent)}

    def agent_of(self, key: KeyEntry, slug: str) -> int | None:
        """The agent that a request is about, if any. Raises ForeignAgentError, NoSuchAgentError."""
        return chosen(self.agents_of(key), slug, bound=key.agent_id is not None)


def read() -> Directory:
    """Keys and agents in one query; an agent is a row without scopes."""
    keys = ApiKey.objects.filter(revoked_at=None)
    agents = Agent.objects.annotate(none=Value(None, output_field=JSONField()))
    rows = keys.values_list("workspace", "agent", "pk", "digest", "scopes").union(
        agents.values_list("workspace", "pk", "pk", "slug", "none"), all=True
    )
    directory = Directory()
    for workspace, agent, pk, name, scopes in rows:
        if scopes is None:
            directory.agents.setdefault(workspace, {})[name] = agent
        else:
            directory.keys[name] = KeyEntry(pk, workspace, agent, frozenset(scopes))
    return directory


class Keys(RefreshingSnapshot[Directory]):
    """The keys in force; notes beside the requests when each was used."""

    def __init__(self) -> None:
        super().__init__(read, Directory())
        self._uses: dict[int, datetime] = {}
        self._writing: asyncio.Task[None] | None = None

    async def found(self, secrets: Sequence[str]) -> KeyEntry | None:
        """The first of the secrets that is a key in force, also when it was made a moment ago."""
        entry = self.current.first_key(secrets)
        if entry is None and secrets:
            await self.renew()
            entry = self.current.first_key(secrets)
        if entry is not None:
            self._uses[entry.id] = timezone.now()
        return entry

    async def start(self) -> None:
        if self._writing is None:
            self._writing = asyncio.create_task(self._keep_noting())
        await super().start()

    async def stop(self) -> None:
        if self._writing is not None:
            self._writing.cancel()
            self._writing = None
            await self.note_uses()
        await super().stop()

    async def _keep_noting(self) -> None:
        while True:
            await asyncio.sleep(NOTE_USE_EVERY_S)
            await self.note_uses()

    async def note_uses(self) -> None:
        uses, self._uses = self._uses, {}
        if uses:
            try:
                await sync_to_async(_note_uses)(uses)
            except Error:
                log.warning("the last use of %s keys could not be noted", len(uses))


def _note_uses(uses: dict[int, datetime]) -> None:
    close_old_connections()
    keys = [ApiKey(pk=key, last_used_at=moment) for key, moment in uses.items()]
    ApiKey.objects.bulk_update(keys, ["last_used_at"], batch_size=200)
