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
from apps.events.sentences import Sentence, sentences
from apps.insights import loop as loops
from apps.insights.loop import Loop
from apps.insights.next_step import NextStep, choose
from apps.jobs.models import State

CHANGES = 8
FAILED_SINCE = timedelta(days=7)


@dataclass(frozen=True)
class Item:
    """One line of the worklist."""

    label: str
    count: str
    url: str


def next_step(agent: Agent, membership: Membership) -> NextStep:
    return choose(loops.read(agent), membership)


def home(agent: Agent, membership: Membership, *, since: datetime | None) -> dict[str, Any]:
    """The context of the home page."""
    loop = loops.read(agent)
    step = choose(loop, membership)
    return {
        "next_step": step,
        "steps": [(row, _step_url(agent, row)) for row in loops.steps(loop, now=step.code)],
        "worklist": worklist(loop, membership),
        "running": loop.jobs,
        "since": since,
        "sentences": changes(agent.workspace, membership, since=since),
        "live_types": events.live_types(),
        "simulated": loop.teacher is not None and loop.teacher.simulated,
        "teacher": loop.teacher,
    }


def _step_url(agent: Agent, step: loops.Step) -> str:
    return agent.address(step.route) if step.of_agent else agent.workspace.address(step.route)


def worklist(loop: Loop, membership: Membership) -> list[Item]:
    """What waits for this person, by what they may do."""
    agent = loop.agent
    items: list[Item] = []
    if membership.may(Right.APPROVE):
        items += _requests(loop, membership)
    if membership.may(Right.REVIEW) and loop.pending:
        items.append(
            Item("Findings to review", str(loop.pending), agent.workspace.address("privacy:findings"))
        )
    if membership.may(Right.LABEL) and loop.found:
        items.append(Item("Found tasks to label", str(len(loop.found)), agent.address("discovery:list")))
    if membership.may(Right.BUILD) and loop.teacher is None:
        items.append(Item("Set the teacher that answers now", "", agent.address("registry:list")))
    if membership.may(Right.LABEL):
        items += _failed_jobs(agent)
    return items


def _requests(loop: Loop, membership: Membership) -> list[Item]:
    """Requests of others: nobody decides their own."""
    waiting = [rollout for rollout in loop.requested if rollout.requested_by_id != membership.user_id]
    return [
        Item(f"Rollout of {rollout.task} to decide", "", rollout.get_absolute_url()) for rollout in waiting
    ]


def _failed_jobs(agent: Agent) -> list[Item]:
    failed = agent.jobs.filter(state=State.FAILED, finished_at__gt=timezone.now() - FAILED_SINCE).count()
    url = agent.workspace.address("jobs:list")
    return [Item("Failed jobs", str(failed), f"{url}?state={State.FAILED}")] if failed else []


def changes(workspace: Workspace, membership: Membership, *, since: datetime | None) -> list[Sentence]:
    """The newest events that others made since the last visit; the newest at all on the first one."""
    rows = events.activity(workspace)
    if since is not None:
        rows = rows.filter(at__gt=since).exclude(actor_id=membership.user_id)
    return sentences(workspace, rows.order_by("-number")[:CHANGES])


def home_workspace(user: User) -> Workspace | None:
    """The workspace that was visited last."""
    memberships = user.memberships.select_related("workspace")
    last = memberships.order_by(F("last_visit_at").desc(nulls_last=True), "-pk").first()
    return last.workspace if last else None


def home_agent(workspace: Workspace, last: int | None) -> Agent | None:
    """The agent that was looked at last, else the first."""
    agents = list(workspace.agents.order_by("name"))
    return next((agent for agent in agents if agent.pk == last), agents[0] if agents else None)
