"""Publishes events from a process of its own: WORKSPACE COUNT PAUSE SIZE. Run by `tests.attached`."""

from __future__ import annotations

import sys
import time

from django.db import transaction

from apps.accounts.models import Workspace
from apps.events.services import publish
from tests.events.facts import Ticked

pk, count, pause, size = sys.argv[1:]
workspace = Workspace.objects.get(pk=pk)
for _ in range(int(count)):
    with transaction.atomic():
        publish(Ticked(sent_at=time.time(), text="x" * int(size)), workspace=workspace)
    time.sleep(float(pause))
