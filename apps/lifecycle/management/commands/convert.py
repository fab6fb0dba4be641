"""`manage.py convert --agent A`: the loop without a browser, up to the request for approval."""

from __future__ import annotations

import contextlib
import json
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.accounts.models import Agent, User
from apps.accounts.rights import Right
from apps.core import health
from apps.core.errors import HubError
from apps.jobs.models import Job
from apps.jobs.runner import run
from apps.lifecycle import processes
from apps.lifecycle.services import convert, wait_for
from apps.registry.selectors import teacher_of


class Command(BaseCommand):
    help = "Discovers tasks, builds datasets, trains, evaluates and requests rollouts; prints JSON."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--agent", required=True)
        parser.add_argument("--workspace", default="", help="needed when several workspaces have the agent")
        parser.add_argument("--as", dest="person", default="", help="e-mail of the person who asks")
        parser.add_argument("--tasks", type=int, default=3, help="convert at most so many tasks")

    def handle(self, *args: Any, **options: Any) -> None:
        agent = _agent(options["agent"], options["workspace"])
        actor = _actor(agent, options["person"])
        with contextlib.ExitStack() as stack:
            if health.processes():
                wait = wait_for
            else:
                stack.enter_context(_own_servers(agent))
                wait = _run_here
            try:
                report = convert(
                    agent=agent, actor=actor, most_tasks=options["tasks"], wait=wait, say=self._say
                )
            except HubError as error:
                raise CommandError(error.sentence) from error
        self.stdout.write(json.dumps(report, indent=2))

    def _say(self, text: str) -> None:
        self.stderr.write(text)


def _agent(slug: str, workspace: str) -> Agent:
    agents = Agent.objects.select_related("workspace").filter(slug=slug)
    found = list(agents.filter(workspace__slug=workspace) if workspace else agents)
    if len(found) != 1:
        reason = (
            "There is no such agent."
            if not found
            else "Several workspaces have it: name one with --workspace."
        )
        raise CommandError(f"--agent {slug}: {reason}")
    return found[0]


def _actor(agent: Agent, email: str) -> User:
    """The named person, or the workspace's first who may build."""
    members = agent.workspace.memberships.select_related("user").order_by("pk")
    if email:
        members = members.filter(user__email__iexact=email)
    approvers = {member.user_id for member in members if member.may(Right.APPROVE)}
    able = [member.user for member in members if member.may(Right.BUILD) and member.may(Right.LABEL)]
    if not able:
        raise CommandError("Nobody here may label, build and request; name an engineer with --as.")
    # Whoever asks cannot approve: leave the approvers free to.
    return min(able, key=lambda user: user.pk in approvers)


def _run_here(job: Job) -> Job:
    """No hub runs: this process does the work itself."""
    run(job.pk)
    job.refresh_from_db()
    return wait_for(job)


def _own_servers(agent: Agent) -> contextlib.AbstractContextManager[None]:
    children, urls = [processes.specialist_server()], [f"{settings.SPECIALIST_SERVER_URL}/healthz"]
    teacher = teacher_of(agent)
    if teacher is not None and teacher.base_url.startswith(settings.DEMO_TEACHER_URL):
        children.append(processes.demo_teacher())
        urls.append(f"{settings.DEMO_TEACHER_URL}/healthz")
    return processes.borrowed(children, urls)
