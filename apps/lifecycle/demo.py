"""The demo workspace: people of every role and a generated support desk whose teacher is a simulation."""

from __future__ import annotations

from django.conf import settings
from django.db import transaction

from apps.accounts.models import Agent, User, Workspace
from apps.accounts.rights import Right, Role
from apps.jobs import services as jobs
from apps.registry.services import seed_catalogue, set_teacher
from apps.team import services as team
from slmhub.demo.people import DEMO_AGENT, DEMO_PASSWORD, DEMO_WORKSPACE, PEOPLE, STRANGER, Person

CALLS = 6000
LOAD_DEMO = "apps.lifecycle.jobs.load_demo"


def prepare(*, calls: int = CALLS) -> Workspace:
    """The demo's workspace; made once, with a job that loads its traces while the pages are already there."""
    seed_catalogue()
    existing = Workspace.objects.filter(slug=DEMO_WORKSPACE, is_demo=True).first()
    return existing or _make(calls)


@transaction.atomic
def _make(calls: int) -> Workspace:
    people = {person.role: (_user(person), person) for person in PEOPLE}
    admin = people["admin"][0]
    workspace = team.create_workspace(name=DEMO_WORKSPACE.capitalize(), owner=admin, is_demo=True)
    for user, person in people.values():
        team.add_member(workspace=workspace, user=user, role=Role(person.role), actor=admin)
    agent = team.create_agent(workspace=workspace, name="Support desk", slug=DEMO_AGENT, actor=admin)
    _set_demo_teacher(agent, admin)
    team.create_workspace(name=STRANGER.workspace.capitalize(), owner=_user(STRANGER), is_demo=True)
    jobs.start(
        workspace=workspace,
        agent=agent,
        actor=admin,
        title="Load the demo's traces",
        entry=LOAD_DEMO,
        arguments={"agent_id": agent.pk, "calls": calls},
        right=Right.MANAGE,
    )
    return workspace


def _user(person: Person) -> User:
    user = User.objects.filter(email=person.email).first()
    return user or User.objects.create_user(person.email, DEMO_PASSWORD, name=person.name)


def _set_demo_teacher(agent: Agent, actor: User) -> None:
    set_teacher(
        agent=agent,
        actor=actor,
        name="Simulated teacher",
        base_url=f"{settings.DEMO_TEACHER_URL}/v1",
        model="gpt-large-sim",
        key="",
        simulated=True,
    )
