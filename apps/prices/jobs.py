"""Costs computed anew after a change of prices, wherever costs are stored."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from apps.accounts.models import Workspace
from apps.jobs.runner import JobContext

# Writes inside the job's commits; returns how many costs are other ones now.
Recompute = Callable[[JobContext, Workspace], int]

_stores: list[Recompute] = []


def stores_costs(recompute: Recompute) -> None:
    """Called at start by an app whose rows hold costs: prices lie below it and cannot know them."""
    if recompute not in _stores:
        _stores.append(recompute)


def recompute_costs(context: JobContext, *, workspace_id: int) -> dict[str, Any]:
    """Computes all costs anew, but for those that an emitter gave."""
    workspace = Workspace.objects.get(pk=workspace_id)
    return {"changed": sum(recompute(context, workspace) for recompute in _stores)}
