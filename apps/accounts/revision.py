"""Tells whoever holds keys, agents, teachers and routes in memory that they have changed.

A random stamp rather than a number: a number that is counted anew, in a database that was emptied or restored
from a backup, could come to stand where it stood before.
"""

from __future__ import annotations

import uuid

from django.db import connection

from apps.accounts.models import Revision

_ONLY = 1


def touch() -> None:
    """Belongs into the transaction of every change of keys, agents, teachers and routes.

    Before its event: whoever changes several of these then takes the row's lock first, as all others do.
    """
    if not connection.in_atomic_block:
        raise RuntimeError("touch the revision inside transaction.atomic()")
    row = Revision(pk=_ONLY, stamp=uuid.uuid4())
    Revision.objects.bulk_create([row], update_conflicts=True, update_fields=["stamp"], unique_fields=["pk"])


def current() -> uuid.UUID | None:
    return Revision.objects.filter(pk=_ONLY).values_list("stamp", flat=True).first()
