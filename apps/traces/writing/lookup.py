"""Stored spans by (trace id, span id), many at once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from django.db import connection

from apps.accounts.models import Workspace
from apps.contents.services import chunks

Key = tuple[str, str]

# CROSS JOIN: SQLite must start from the wanted keys, each of which is one step into the unique index.
_STORED = """
WITH wanted(trace_id, span_id) AS (VALUES {})
SELECT span.trace_id, span.span_id, span.id, span.agent_id, span.delivered
FROM wanted CROSS JOIN traces_span AS span
WHERE span.workspace_id = %s AND span.trace_id = wanted.trace_id AND span.span_id = wanted.span_id
"""


class Stored(NamedTuple):
    pk: int
    agent_id: int
    delivered: bytes


def stored(workspace: Workspace, keys: Iterable[Key]) -> dict[Key, Stored]:
    found: dict[Key, Stored] = {}
    with connection.cursor() as cursor:
        for chunk in chunks(sorted(set(keys))):
            cursor.execute(
                _STORED.format(_marks(chunk)), [*(part for key in chunk for part in key), workspace.pk]
            )
            for trace_id, span_id, pk, agent_id, delivered in cursor.fetchall():
                found[trace_id, span_id] = Stored(pk, agent_id, bytes(delivered))
    return found


def _marks(keys: Sequence[Key]) -> str:
    return ", ".join(["(%s, %s)"] * len(keys))
