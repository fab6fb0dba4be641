"""Run inside a hub's own environment by the kill tests: FIRST enqueues a job, later calls look at it."""

from __future__ import annotations

import json
import os
import sys

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "slmhub.settings")
import django

django.setup()

from apps.accounts.models import User, Workspace  # noqa: E402
from apps.accounts.rights import Right  # noqa: E402
from apps.jobs.models import Job, Queue  # noqa: E402
from apps.jobs.services import start  # noqa: E402
from apps.team.services import create_workspace  # noqa: E402

action, *rest = sys.argv[1:]
if action == "enqueue":
    entry, queue, arguments = rest
    owner = User.objects.filter(email="owner@example.com").first() or User.objects.create_user(
        "owner@example.com", "x"
    )
    workspace = Workspace.objects.first() or create_workspace(name="Acme", owner=owner)
    job = start(
        workspace=workspace,
        title="Work",
        entry=f"tests.jobs.work.{entry}",
        arguments=json.loads(arguments),
        right=Right.MANAGE,
        queue=Queue(queue),
    )
    print(job.pk)
else:
    print(json.dumps(Job.objects.filter(pk=rest[0]).values("state", "attempt", "result", "error").get()))
