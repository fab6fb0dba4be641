"""Publishes events from a process of its own: WORKSPACE COUNT PAUSE SIZE. Run by `tests.attached`."""

from __future__ import annotations

import sys
import time

from django.db import transaction

from apps.accounts.models import Workspace
from apps.events.models import EventType
from apps.events.services import publish

pk, count, pause, size = sys.argv[1:]
workspace = Workspace.objects.get(pk=pk)
for _ in range(int(count)):
    with transaction.atomic():
        publish(
            workspace=workspace,
            type=EventType.TASK_RENAMED,
            data={"sent_at": time.time(), "text": "x" * int(size)},
        )
    time.sleep(float(pause))
