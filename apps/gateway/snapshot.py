"""What the gateway needs to know, held in memory: keys, routes and teachers.

The snapshot is read anew every `REFRESH_S`, so a revoked key or a rolled-back route is in force after at most
`STALENESS_S`. A request makes no database query.
"""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass, field

from asgiref.sync import sync_to_async
from django.db import close_old_connections

from apps.accounts.access import Scope
from apps.accounts.keys import NoKeyError
from apps.accounts.models import Agent, ApiKey
from apps.core.encryption import SealBrokenError
from apps.registry.models import Teacher
from apps.registry.selectors import teacher_key
from apps.rollouts.models import Route

REFRESH_S = 0.5
STALENESS_S = 1.0

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class KeyEntry:
    id: int
    workspace_id: int
    agent_id: int | None
    may_infer: bool


@dataclass(frozen=True)
class RouteEntry:
    task_id: int
    specialist: str
    threshold: float
    # What the task's answers do; anything else from the specialist is a reason to fall back.
    actions: frozenset[str]


@dataclass(frozen=True)
class TeacherEntry:
    url: str
    model: str
    key: str
    simulated: bool


@dataclass(frozen=True)
class Snapshot:
    keys: dict[str, KeyEntry] = field(default_factory=dict)
    agents: dict[tuple[int, str], int] = field(default_factory=dict)
    routes: dict[tuple[int, str], RouteEntry] = field(default_factory=dict)
    teachers: dict[int, TeacherEntry] = field(default_factory=dict)
    read_at: float = 0.0

    def agent_of(self, key: KeyEntry, slug: str) -> int | None:
        """The agent that a call belongs to: the key's own, the one that is named, or the only one."""
        if key.agent_id is not None:
            return key.agent_id
        if slug:
            return self.agents.get((key.workspace_id, slug))
        own = [agent for (workspace, _), agent in self.agents.items() if workspace == key.workspace_id]
        return own[0] if len(own) == 1 else None


def read() -> Snapshot:
    close_old_connections()
    keys = ApiKey.objects.filter(revoked_at=None)
    return Snapshot(
        keys={key.digest: _key_entry(key) for key in keys},
        agents={(agent.workspace_id, agent.slug): agent.pk for agent in Agent.objects.all()},
        routes=_routes(),
        teachers=_teachers(),
        read_at=time.monotonic(),
    )


def _key_entry(key: ApiKey) -> KeyEntry:
    return KeyEntry(key.pk, key.workspace_id, key.agent_id, key.allows(Scope.INFER))


def _routes() -> dict[tuple[int, str], RouteEntry]:
    routes = Route.objects.filter(is_on=True).select_related("specialist")
    return {
        (route.agent_id, key): RouteEntry(
            route.task_id, route.specialist.served_name, route.threshold, frozenset(route.actions)
        )
        for route in routes
        for key in route.routing_keys
    }


def _teachers() -> dict[int, TeacherEntry]:
    entries = {}
    for teacher in Teacher.objects.exclude(agent=None):
        try:
            entries[teacher.agent_id or 0] = _teacher_entry(teacher)
        except (SealBrokenError, NoKeyError):
            # One unreadable key must not keep the others' changes from coming into force.
            log.error("the key of teacher %s cannot be opened; its agent has no teacher", teacher.pk)
    return entries


def _teacher_entry(teacher: Teacher) -> TeacherEntry:
    url = teacher.base_url.rstrip("/") + "/chat/completions"
    return TeacherEntry(url, teacher.model, teacher_key(teacher), teacher.simulated)


class SnapshotHolder:
    """The current snapshot of this process, kept fresh by one task."""

    def __init__(self) -> None:
        self.current = Snapshot()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        if self._task is None:
            await self._refresh()
            self._task = asyncio.create_task(self._keep_fresh())

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            self._task = None

    async def _keep_fresh(self) -> None:
        while True:
            await asyncio.sleep(REFRESH_S)
            await self._refresh()

    async def _refresh(self) -> None:
        try:
            self.current = await sync_to_async(read)()
        except Exception:
            log.exception("the gateway's snapshot could not be read; the last one stays in force")
