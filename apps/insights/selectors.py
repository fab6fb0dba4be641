"""What the home page shows: the loop, the next step, what waits for this person, what changed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import F
from django.utils import timezone

from apps.accounts.models import Agent, Membership, User, Workspace
from apps.accounts.rights import Right
from apps.events import selectors as events
from apps.events.sentences import sentences
from apps.insights import loop as loops
from apps.insights.next_step import NextStep, choose
from apps.jobs.models import State
from apps.lifecycle.models import ConversionState
from apps.rollouts.models import RolloutState

CHANGES = 8
RUNNING = 5
FAILED_SINCE = timedelta(days=7)


@dataclass(frozen=True)
class Item:
    """One line of the worklist."""

    label: str
    count: str
    url: str


def next_step(agent: Agent, membership: Membership) -> NextStep:
    return choose(loops.read(agent), membership)


def where_it_stands(agent: Agent, membership: Membership) -> dict[str, Any]:
    """The next step, and the loop with its figures."""
    loop = loops.read(agent)
    step = choose(loop, membership)
    return {
        "next_step": step,
        "steps": [(row, _step_url(agent, row)) for row in loops.steps(loop, now=step.code)],
        "simulated": loop.teacher is not None and loop.teacher.simulated,
    }


def running(agent: Agent) -> dict[str, Any]:
    """What goes on by itself: a few of the open jobs, and the conversions that wait for jobs."""
    return {
        "running": list(agent.jobs.open().select_related("workspace").order_by("-pk")[:RUNNING]),
        "conversions": list(
            agent.conversions.filter(state=ConversionState.OPEN).select_related("task", "agent")
        ),
    }


def _step_url(agent: Agent, step: loops.Step) -> str:
    return agent.address(step.route) if step.of_agent else agent.workspace.address(step.route)


def worklist(agent: Agent, membership: Membership) -> list[Item]:
    """What waits for this person, by what they may do."""
    items: list[Item] = []
    waiting = loops.waiting(agent, failed_since=timezone.now() - FAILED_SINCE)
    if membership.may(Right.APPROVE):
        items += _requests(agent, membership)
    if membership.may(Right.REVIEW) and waiting["pending"]:
        url = agent.workspace.address("privacy:findings")
        items.append(Item("Findings to review", str(waiting["pending"]), url))
    if membership.may(Right.LABEL) and waiting["found"]:
        items.append(Item("Found tasks to label", str(waiting["found"]), agent.address("discovery:list")))
    if membership.may(Right.BUILD) and not waiting["teachers"]:
        items.append(Item("Set the teacher that answers now", "", agent.address("registry:list")))
    if membership.may(Right.LABEL) and waiting["failed"]:
        url = f"{agent.workspace.address('jobs:list')}?state={State.FAILED}"
        items.append(Item("Failed jobs", str(waiting["failed"]), url))
    return items


def _requests(agent: Agent, membership: Membership) -> list[Item]:
    """Requests of others: nobody decides their own."""
    requested = agent.rollouts.filter(state=RolloutState.REQUESTED).exclude(requested_by=membership.user_id)
    rows = requested.defer("evidence").select_related("task").order_by("-pk")
    return [Item(f"Rollout of {rollout.task} to decide", "", rollout.get_absolute_url()) for rollout in rows]


def changes(workspace: Workspace, membership: Membership, *, since: datetime | None) -> dict[str, Any]:
    """The newest events that others made since the last visit; the newest at all on the first one."""
    rows = events.activity(workspace)
    if since is not None:
        rows = rows.filter(at__gt=since).exclude(actor_id=membership.user_id)
    return {
        "since": since,
        "sentences": sentences(workspace, rows.order_by("-number")[:CHANGES]),
        "live_types": events.live_types(),
    }


def home_workspace(user: User) -> Workspace | None:
    """The workspace that was visited last."""
    memberships = user.memberships.select_related("workspace")
    last = memberships.order_by(F("last_visit_at").desc(nulls_last=True), "-pk").first()
    return last.workspace if last else None


def home_agent(workspace: Workspace, last: int | None) -> Agent | None:
    """The agent that was looked at last, else the first."""
    agents = list(workspace.agents.order_by("name"))
    return next((agent for agent in agents if agent.pk == last), agents[0] if agents else None)
