"""Stored spans by (trace id, span id), many at once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from django.db import connection

from apps.accounts.models import Agent, Workspace
from apps.contents.services import chunks

Key = tuple[str, str]

# CROSS JOIN: SQLite must start from the wanted keys, each of which is one step into the unique index.
_STORED = """
WITH wanted(trace_id, span_id) AS (VALUES {})
SELECT span.trace_id, span.span_id, span.id, span.agent_id, span.delivered
FROM wanted CROSS JOIN traces_span AS span
WHERE span.workspace_id = %s AND span.trace_id = wanted.trace_id AND span.span_id = wanted.span_id
"""

_OF_TRACES = """
WITH wanted(trace_id) AS (VALUES {})
SELECT span.id, span.agent_id FROM wanted CROSS JOIN traces_span AS span
WHERE span.workspace_id = %s AND span.trace_id = wanted.trace_id
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
                _STORED.format(_marks(chunk, 2)), [*(part for key in chunk for part in key), workspace.pk]
            )
            for trace_id, span_id, pk, agent_id, delivered in cursor.fetchall():
                found[trace_id, span_id] = Stored(pk, agent_id, bytes(delivered))
    return found


def spans_of_traces(agent: Agent, trace_ids: Iterable[str]) -> list[int]:
    """The ids of the agent's spans in these traces.

    The agent is not asked for in SQL: SQLite would then walk through all spans of the agent.
    """
    found: list[int] = []
    with connection.cursor() as cursor:
        for chunk in chunks(sorted(set(trace_ids))):
            cursor.execute(_OF_TRACES.format(_marks(chunk, 1)), [*chunk, agent.workspace_id])
            found += [pk for pk, owner in cursor.fetchall() if owner == agent.pk]
    return found


def _marks(rows: Sequence[object], width: int) -> str:
    return ", ".join([f"({', '.join(['%s'] * width)})"] * len(rows))
