"""Seeding the catalogue and choosing an agent's teacher."""

from __future__ import annotations

from urllib.parse import urlsplit

from django.conf import settings
from django.db import transaction

from apps.accounts import revision
from apps.accounts.keys import keyring
from apps.accounts.models import Agent, User
from apps.core.errors import HubError
from apps.events.services import publish
from apps.registry.catalogue import CATALOGUE
from apps.registry.entries import Entry
from apps.registry.events import TeacherChanged
from apps.registry.models import BaseModel, Figures, Teacher, teacher_binding
from apps.registry.starter import starter_fields


class BadAddressError(HubError):
    """The teacher's address cannot be called."""


class KeyNeededError(HubError):
    """A stored key is never sent to another host than the one it was given for."""


@transaction.atomic
def seed_catalogue() -> int:
    """Creates or refreshes the rows of the catalogue and returns how many there are; safe at any time."""
    rows = [starter_fields(settings.STARTER_WEIGHTS), *map(_fields, CATALOGUE)]
    for row in rows:
        BaseModel.objects.update_or_create(slug=row["slug"], defaults=row)
    return len(rows)


def _fields(entry: Entry) -> dict[str, object]:
    figures = Figures(entry.source, entry.values) if entry.values else Figures()
    plain = {name: value for name, value in vars(entry).items() if name not in {"source", "values"}}
    return {**plain, "figures": figures}


@transaction.atomic
def set_teacher(
    *,
    agent: Agent,
    name: str,
    base_url: str,
    model: str = "",
    key: str | None = None,
    simulated: bool = False,
    actor: User | None = None,
) -> Teacher:
    """The agent's only teacher. `key`: None keeps the stored one, "" forgets it."""
    address = checked_address(base_url)
    teacher = Teacher.objects.filter(agent=agent).first() or Teacher(agent=agent, workspace=agent.workspace)
    if key is None and teacher.sealed_key and not same_host(teacher.base_url, address):
        raise KeyNeededError("The address has changed.", hint="Type the key for the new address.")
    teacher.name, teacher.base_url, teacher.model, teacher.simulated = name, address, model, simulated
    teacher.save()
    if key is not None:
        _seal_key(teacher, key)
    revision.touch()
    fact = TeacherChanged(teacher=teacher.pk, name=name, base_url=address, key_changed=key is not None)
    publish(fact, workspace=agent.workspace, agent=agent, actor=actor)
    return teacher


def _seal_key(teacher: Teacher, key: str) -> None:
    bound_to = teacher_binding(teacher.pk)
    teacher.sealed_key = keyring(teacher.workspace_id).seal(key.encode(), bound_to=bound_to) if key else b""
    teacher.save(update_fields=["sealed_key"])


def checked_address(base_url: str) -> str:
    """The address without a trailing slash. Raises BadAddressError."""
    address = base_url.strip().rstrip("/")
    try:
        parts = urlsplit(address)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
    if not host or parts.scheme not in {"http", "https"} or len(address) > 300:
        raise BadAddressError("This is no web address.", hint="For example https://llm.example.com/v1.")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise BadAddressError(
            "The address may hold no name, password or query.", hint="The key has its own field."
        )
    return address


def same_host(one: str, other: str) -> bool:
    return urlsplit(one)[:2] == urlsplit(other)[:2]
