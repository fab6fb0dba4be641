"""The small world of the tests: one workspace with one person per role, and a stranger next door."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.test import Client
from django.urls import reverse

from apps.accounts.models import Agent, User, Workspace
from apps.accounts.rights import Role
from apps.jobs.models import Job, State
from apps.jobs.runner import run
from apps.team import services

PASSWORD = "a long test password"


@dataclass
class World:
    workspace: Workspace
    agent: Agent
    owner: User  # made the workspace; an admin
    viewer: User
    curator: User
    engineer: User
    approver: User
    admin: User
    stranger: User  # has a workspace of their own and must never see anything here
    elsewhere: Workspace

    @classmethod
    def build(cls) -> World:
        owner, stranger = person("owner"), person("stranger")
        workspace = services.create_workspace(name="Acme", owner=owner)
        elsewhere = services.create_workspace(name="Elsewhere", owner=stranger)
        agent = services.create_agent(workspace=workspace, name="Support desk", actor=owner)
        people = {role.value: person(role.value) for role in Role}
        for role in Role:
            services.add_member(workspace=workspace, user=people[role.value], role=role, actor=owner)
        return cls(
            workspace=workspace, agent=agent, owner=owner, stranger=stranger, elsewhere=elsewhere, **people
        )

    def client(self, user: User) -> Client:
        client = Client()
        client.force_login(user)
        return client

    def url(self, name: str, *arguments: Any) -> str:
        """The address of an agent's page."""
        return reverse(name, args=[self.workspace.slug, self.agent.slug, *arguments])

    def workspace_url(self, name: str, *arguments: Any) -> str:
        return reverse(name, args=[self.workspace.slug, *arguments])

    def run_jobs(self) -> list[str]:
        """Runs what is queued, as a worker would, until nothing is left."""
        outcomes = []
        while (job := Job.objects.filter(state=State.QUEUED).order_by("pk").first()) is not None:
            outcomes.append(run(job.pk))
        return outcomes


def collapsed(page: bytes) -> str:
    """HTML with its white space collapsed, as a browser reads it."""
    return " ".join(page.decode().split())


def person(name: str) -> User:
    return User.objects.create_user(f"{name}@example.com", PASSWORD, name=name.capitalize())
