"""Who is asked for an answer, in what order, until when and why; and when an answer is not good enough.

Pure: it knows the call, what is in force and the clock, and asks nobody.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from slmhub.chat_client import Endpoint
from slmhub.formats.signature import NOTHING, action_of, routing_signature
from slmhub.formats.tool_calls import tool_calls_of

SPECIALIST_S, SPECIALIST_CONNECT_S = 10.0, 1.0
TEACHER_S, TEACHER_CONNECT_S = 600.0, 5.0

NO_ROUTE = "no route"
ROUTED = "the task's route"
SEVERAL_ANSWERS = "several answers are asked for"
IN_DOUBT = "whatever the specialist does not answer"


@dataclass(frozen=True)
class RouteEntry:
    task_id: int
    specialist: str
    threshold: float
    # What the task's answers do; anything else from the specialist is a reason to fall back.
    actions: frozenset[str]


@dataclass(frozen=True)
class TeacherEntry:
    endpoint: Endpoint
    # Asked for instead of the caller's model, where it is set.
    model: str
    simulated: bool


Routes = Mapping[tuple[int, str], RouteEntry]


@dataclass(frozen=True)
class Step:
    """One who is asked. `until` is a moment of the clock that `plan_for` was given."""

    backend: RouteEntry | TeacherEntry
    until: float
    connect_s: float
    why: str


@dataclass(frozen=True)
class Plan:
    """Each is asked when the one before it gave no answer that is good enough.

    `fallback` says why the specialist of a route that is in force is not even asked.
    """

    steps: tuple[Step, ...]
    fallback: str = ""


def route_of(routes: Routes, agent_id: int, request: Mapping[str, Any]) -> RouteEntry | None:
    try:
        signature = routing_signature(request["messages"], request.get("tools") or [])
    except (AttributeError, TypeError):
        # Messages of no known shape have no route; the teacher says what is wrong with them.
        return None
    return routes.get((agent_id, signature))


def plan_for(
    request: Mapping[str, Any], *, route: RouteEntry | None, teacher: TeacherEntry | None, now: float
) -> Plan:
    unfit = unfitness(request) if route is not None else ""
    steps = []
    if route is not None and not unfit:
        steps.append(Step(route, now + SPECIALIST_S, SPECIALIST_CONNECT_S, ROUTED))
    if teacher is not None:
        why = unfit or (IN_DOUBT if steps else NO_ROUTE)
        steps.append(Step(teacher, now + TEACHER_S, TEACHER_CONNECT_S, why))
    return Plan(tuple(steps), fallback=unfit)


def unfitness(request: Mapping[str, Any]) -> str:
    """Why no specialist can do what this request asks for; empty when one can."""
    return SEVERAL_ANSWERS if request.get("n", 1) != 1 else ""


def doubt(route: RouteEntry, response: Any) -> str:
    """Why this answer of the route's specialist should not be used; empty when it should."""
    try:
        confidence = float(response["slmhub"]["confidence"])
        message = response["choices"][0]["message"]
        action = action_of(message)
        # What the readers of logs pass over, a caller would stumble over.
        has_broken_calls = len(tool_calls_of(message)) < len(message.get("tool_calls") or ())
    except (KeyError, IndexError, TypeError, ValueError, AttributeError):
        return "malformed answer"
    if confidence < route.threshold:
        return f"confidence {confidence:.2f} below {route.threshold:.2f}"
    if action == NOTHING or has_broken_calls:
        return "malformed answer"
    if route.actions and action not in route.actions:
        return "answer is of another kind than the task's"
    return ""
