"""What every page's frame needs: the loop's navigation, the switchers, the live address."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest

from apps.accounts.models import Agent, Membership, Workspace


@dataclass(frozen=True)
class Section:
    """One entry of the side bar. `route` takes the workspace, and the agent when `of_agent`.

    `also` names the apps whose pages are tabs of this one.
    """

    label: str
    icon: str
    route: str
    group: str
    of_agent: bool = True
    also: tuple[str, ...] = ()

    @property
    def apps(self) -> tuple[str, ...]:
        return (self.route.partition(":")[0], *self.also)


# In the order of the loop, so that a newcomer reads the product off the side bar.
SECTIONS = (
    Section("Home", "home", "insights:home", ""),
    Section("Traces", "queue-list", "traces:list", "Collect", also=("sources",)),
    Section("Privacy", "shield-check", "privacy:findings", "Collect", of_agent=False),
    Section("Tasks", "squares-2x2", "discovery:list", "Convert"),
    Section("Datasets", "circle-stack", "datasets:list", "Convert"),
    Section("Models", "cube", "registry:list", "Convert"),
    Section("Training", "cpu-chip", "training:list", "Convert"),
    Section("Evaluations", "scale", "evaluation:list", "Convert"),
    Section("Rollouts", "rocket-launch", "rollouts:list", "Serve"),
    Section("Gateway", "arrows-right-left", "gateway:overview", "Serve"),
    Section("Jobs", "clock", "jobs:list", "Workspace", of_agent=False),
    Section("Activity", "bolt", "events:activity", "Workspace", of_agent=False),
    Section("Settings", "cog-6-tooth", "team:settings", "Workspace", of_agent=False, also=("prices",)),
)


def navigation(request: HttpRequest) -> dict[str, Any]:
    workspace: Workspace | None = getattr(request, "workspace", None)
    if workspace is None or getattr(request, "is_part", False):
        return {"nav": [], "workspaces": [], "agents": []}
    agents = list(workspace.agents.order_by("name"))
    chosen = _chosen_agent(request, agents)
    return {
        "nav": [
            _entry(section, request, workspace, chosen)
            for section in SECTIONS
            if chosen or not section.of_agent
        ],
        "current_agent": chosen,
        "workspaces": _workspaces(request),
        "agents": agents,
        "live_url": f"/ws/w/{workspace.slug}/events",
        "live_after": getattr(request, "live_after", 0),
    }


def _chosen_agent(request: HttpRequest, agents: list[Agent]) -> Agent | None:
    """The agent of the address; else the one looked at last; else the first."""
    agent: Agent | None = getattr(request, "agent", None)
    last = request.session.get("agent")
    if agent is not None:
        if last != agent.pk:
            request.session["agent"] = agent.pk
        return agent
    return next((known for known in agents if known.pk == last), agents[0] if agents else None)


def _entry(
    section: Section, request: HttpRequest, workspace: Workspace, agent: Agent | None
) -> dict[str, Any]:
    place = agent if section.of_agent and agent else workspace
    match = request.resolver_match
    return {
        "label": section.label,
        "icon": section.icon,
        "group": section.group,
        "url": place.address(section.route),
        "active": match is not None and match.app_name in section.apps,
    }


def _workspaces(request: HttpRequest) -> list[Workspace]:
    memberships = Membership.objects.filter(user=request.user).select_related("workspace")  # type: ignore[misc]
    return [membership.workspace for membership in memberships.order_by("workspace__name")]
