"""Publishing: an event is written in the transaction of the change that it reports."""

from __future__ import annotations

from django.db import connection, transaction
from django.db.models import F

from apps.accounts.models import Agent, User, Workspace
from apps.events import wakeup
from apps.events.facts import Fact
from apps.events.models import Event, Sequence


class OutsideTransactionError(RuntimeError):
    """An event was published outside the transaction of its change."""


def publish(
    fact: Fact, *, workspace: Workspace, agent: Agent | None = None, actor: User | None = None
) -> Event:
    """Writes the next event of the workspace; must run inside the transaction of the change."""
    if not connection.in_atomic_block:
        raise OutsideTransactionError(f"publish {fact.type} inside transaction.atomic()")
    event = Event.objects.create(
        workspace=workspace,
        number=_next_number(workspace),
        type=fact.type,
        actor=actor,
        agent=agent,
        data=fact.data(),
    )
    # The row is the truth: a hint that cannot be sent must not fail what was committed.
    transaction.on_commit(wakeup.announce, robust=True)
    return event


def _next_number(workspace: Workspace) -> int:
    # The UPDATE takes the row's lock, so numbers follow commit order within a workspace.
    if not Sequence.objects.filter(workspace=workspace).update(last=F("last") + 1):
        Sequence.objects.get_or_create(workspace=workspace)
        Sequence.objects.filter(workspace=workspace).update(last=F("last") + 1)
    return Sequence.objects.values_list("last", flat=True).get(workspace=workspace)
