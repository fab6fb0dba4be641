"""What the gateway needs to know beside keys and agents, held in memory: routes and teachers."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field

from django.db import close_old_connections

from apps.accounts.keys import NoKeyError
from apps.core.encryption import SealBrokenError
from apps.registry.models import Teacher
from apps.registry.selectors import teacher_key
from apps.rollouts.models import Route

log = logging.getLogger(__name__)


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
    routes: dict[tuple[int, str], RouteEntry] = field(default_factory=dict)
    teachers: dict[int, TeacherEntry] = field(default_factory=dict)


def read() -> Snapshot:
    close_old_connections()
    return Snapshot(routes=_routes(), teachers=_teachers())


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
