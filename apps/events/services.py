"""Publishing: an event is written in the transaction of the change that it reports."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
from django.db import connection, transaction
from django.db.models import F
from django.utils import timezone

from apps.accounts.models import Agent, User, Workspace
from apps.events import wakeup
from apps.events.facts import Fact
from apps.events.models import Event, Sequence

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class OutsideTransactionError(RuntimeError):
    """An event was published outside the transaction of its change."""


def publish(
    fact: Fact, *, workspace: Workspace, agent: Agent | None = None, actor: User | None = None
) -> Event:
    """Writes the next event of the workspace; must run inside the transaction of the change.

    A fact that coalesces joins the row of those before it, which moves on to the next number.
    """
    if not connection.in_atomic_block:
        raise OutsideTransactionError(f"publish {fact.type} inside transaction.atomic()")
    # First of all the number: its lock orders the writers, so nobody else writes to the row that is joined.
    number, at = _next_number(workspace), timezone.now()
    event = Event(workspace=workspace, type=fact.type, agent=agent, actor=actor, data=fact.data())
    if fact.coalesce is not None:
        event = _joined(fact, event, since=at - (at - EPOCH) % fact.coalesce)
    event.number, event.at = number, at
    event.save()
    # The row is the truth: a hint that cannot be sent must not fail what was committed.
    transaction.on_commit(wakeup.announce, robust=True)
    return event


def _joined(fact: Fact, new: Event, since: datetime) -> Event:
    """The row since then that says the same, with this fact's figures added; else the new one.

    It gets the new number, so the sockets are told as of a row of its own, and one that comes back with an
    older number is told of all that the row has come to say.
    """
    rows = Event.objects.filter(workspace=new.workspace, type=new.type, agent=new.agent, actor=new.actor)
    for row in rows.filter(at__gte=since).order_by("-number"):
        try:
            whole = fact.joined(fact.read(row.data))
        except msgspec.ValidationError:
            continue
        if whole is not None:
            row.data = whole.data()
            return row
    return new


def _next_number(workspace: Workspace) -> int:
    # The UPDATE takes the row's lock, so numbers follow commit order within a workspace.
    if not Sequence.objects.filter(workspace=workspace).update(last=F("last") + 1):
        Sequence.objects.get_or_create(workspace=workspace)
        Sequence.objects.filter(workspace=workspace).update(last=F("last") + 1)
    return Sequence.objects.values_list("last", flat=True).get(workspace=workspace)
