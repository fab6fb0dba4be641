"""`python -m benchmarks.live_writer WORKSPACE COUNT PAUSE`: publishes events and prints when."""

from __future__ import annotations

import json
import sys
import time
from functools import partial

import django

django.setup()

from django.db import transaction  # noqa: E402

from apps.accounts.models import Workspace  # noqa: E402
from apps.discovery.events import TaskRenamed  # noqa: E402
from apps.events.services import publish  # noqa: E402


def main(pk: int, count: int, pause: float) -> None:
    workspace = Workspace.objects.get(pk=pk)
    committed: dict[int, float] = {}
    for _ in range(count):
        stamps: list[float] = []
        with transaction.atomic():
            # Registered before publish registers its wake-up, so it runs between the commit and that.
            transaction.on_commit(partial(_stamp, stamps))
            event = publish(TaskRenamed(task=1, name="Look up orders", old=""), workspace=workspace)
        committed[event.number] = stamps[0]
        time.sleep(pause)
    print(json.dumps(committed))


def _stamp(stamps: list[float]) -> None:
    stamps.append(time.monotonic())


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]))
