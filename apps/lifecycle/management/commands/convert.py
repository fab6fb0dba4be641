"""`manage.py convert --agent A`: the loop without a browser, up to the request for approval."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.accounts.models import Agent, User
from apps.accounts.rights import Right
from apps.core import health
from apps.jobs.runner import run
from apps.jobs.services import sweep
from apps.lifecycle import processes, services
from apps.lifecycle.models import Conversion, ConversionState
from apps.lifecycle.selectors import report_on
from apps.registry.selectors import teacher_of

LOOK_EVERY_S = 0.3


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
        drive = services.begin(agent=agent, actor=actor, most_tasks=options["tasks"])
        if health.processes():
            self._follow(drive, lambda waiting: time.sleep(LOOK_EVERY_S))
        else:
            with _own_servers(agent):
                self._follow(drive, _work)
        if drive.state == ConversionState.STOPPED:
            raise CommandError(drive.reason)
        self.stdout.write(json.dumps(report_on(drive), indent=2))
        if stopped := drive.parts.filter(state=ConversionState.STOPPED).count():
            raise CommandError(f"{stopped} of {drive.parts.count()} conversions stopped; see “reason”.")

    def _follow(self, drive: Conversion, wait: Callable[[list[Conversion]], None]) -> None:
        """Until the drive and its parts have ended, saying each change once."""
        said: dict[int, str] = {}
        has_judged = False
        while True:
            drive.refresh_from_db()
            if drive.judged and not has_judged:
                has_judged = True
                for task in drive.judged:
                    self.stderr.write(f"  {'✓' if task.candidate else '–'} {task.task}: {task.why}")
            family = [drive, *drive.parts.select_related("task", "agent", "job").order_by("pk")]
            for one in family:
                words = f"{one}: {_standing(one)}"
                if said.get(one.pk) != words:
                    self.stderr.write(words)
                    said[one.pk] = words
            if not (waiting := [one for one in family if one.is_open]):
                return
            wait(waiting)


def _standing(conversion: Conversion) -> str:
    words = f"{conversion.get_state_display()}: {conversion.get_step_display()}".lower()
    job = f", by “{conversion.job}”" if conversion.is_open and conversion.job else ""
    return f"{words}{job}{'. ' if conversion.reason else ''}{conversion.reason}"


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


def _work(waiting: list[Conversion]) -> None:
    """No hub runs: this process is keeper and worker."""
    sweep()
    for one in waiting:
        services.advance(one)
        if one.is_open and one.job is not None:
            run(one.job.pk)
    time.sleep(LOOK_EVERY_S)


def _own_servers(agent: Agent) -> contextlib.AbstractContextManager[None]:
    children, urls = [processes.specialist_server()], [f"{settings.SPECIALIST_SERVER_URL}/healthz"]
    teacher = teacher_of(agent)
    if teacher is not None and teacher.base_url.startswith(settings.DEMO_TEACHER_URL):
        children.append(processes.demo_teacher())
        urls.append(f"{settings.DEMO_TEACHER_URL}/healthz")
    return processes.borrowed(children, urls)
