"""GET /v1/models: who may answer an agent's calls."""

from __future__ import annotations

from typing import Any

from apps.gateway.snapshot import Snapshot

PATH = "/v1/models"


def offered(snapshot: Snapshot, agent_id: int | None) -> dict[str, Any]:
    teacher = snapshot.teachers.get(agent_id) if agent_id is not None else None
    specialists = {route.specialist for (agent, _), route in snapshot.routes.items() if agent == agent_id}
    names = [(teacher.model, "teacher")] if teacher and teacher.model else []
    names += [(name, "specialist") for name in sorted(specialists)]
    return {
        "object": "list",
        "data": [{"id": name, "object": "model", "created": 0, "owned_by": owner} for name, owner in names],
    }
