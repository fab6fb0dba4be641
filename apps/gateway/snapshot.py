"""What the gateway needs to know beside keys and agents, held in memory: routes and teachers."""

from __future__ import annotations

import logging
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from django.db.models import FilteredRelation, Q

from apps.accounts.keys import NoKeyError, opened_keyring
from apps.accounts.models import Agent
from apps.core.encryption import SealBrokenError
from apps.gateway.policy import RouteEntry, TeacherEntry
from apps.registry.selectors import opened_key
from slmhub.chat_client import Endpoint

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Snapshot:
    routes: dict[tuple[int, str], RouteEntry] = field(default_factory=dict)
    teachers: dict[int, TeacherEntry] = field(default_factory=dict)


def read() -> Snapshot:
    """Routes and teachers with their keyrings, in one query: a row for every agent that has either, times its
    live routes, times the keys of its workspace (as good as always one)."""
    agents = (
        Agent.objects.annotate(live=FilteredRelation("routes", condition=Q(routes__is_on=True)))
        .filter(Q(teacher__isnull=False) | Q(live__isnull=False))
        .order_by("live__pk")
        .values("pk", "workspace_id", *_TEACHER, *_ROUTE, *_KEY)
    )
    snapshot, teachers, keys = Snapshot(), {}, defaultdict[int, dict[int, bytes]](dict)
    for row in agents:
        if row["live__task_id"] is not None:
            entry = _route_entry(row)
            snapshot.routes.update({(row["pk"], key): entry for key in row["live__routing_keys"]})
        if row["teacher__pk"] is not None:
            teachers[row["pk"]] = row
        if row["workspace__keys__number"] is not None:
            keys[row["workspace_id"]][row["workspace__keys__number"]] = row["workspace__keys__sealed"]
    for agent, row in teachers.items():
        try:
            snapshot.teachers[agent] = _teacher_entry(row, keys[row["workspace_id"]])
        except (SealBrokenError, NoKeyError):
            # One unreadable key must not keep the others' changes from coming into force.
            log.error("the key of teacher %s cannot be opened; its agent has none now", row["teacher__pk"])
    return snapshot


_TEACHER = (
    "teacher__pk",
    "teacher__base_url",
    "teacher__model",
    "teacher__sealed_key",
    "teacher__simulated",
)
_ROUTE = (
    "live__task_id",
    "live__specialist__served_name",
    "live__threshold",
    "live__actions",
    "live__routing_keys",
)
_KEY = ("workspace__keys__number", "workspace__keys__sealed")


def _route_entry(row: dict[str, Any]) -> RouteEntry:
    return RouteEntry(
        task_id=row["live__task_id"],
        specialist=row["live__specialist__served_name"],
        threshold=row["live__threshold"],
        actions=frozenset(row["live__actions"]),
    )


def _teacher_entry(row: dict[str, Any], keys: dict[int, bytes]) -> TeacherEntry:
    sealed = bytes(row["teacher__sealed_key"])
    ring = opened_keyring(row["workspace_id"], keys) if sealed else None
    key = opened_key(ring, row["teacher__pk"], sealed) if ring else ""
    return TeacherEntry(
        endpoint=Endpoint(row["teacher__base_url"].rstrip("/"), key),
        model=row["teacher__model"],
        simulated=row["teacher__simulated"],
    )
