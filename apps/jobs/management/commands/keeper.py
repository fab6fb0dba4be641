"""`manage.py keeper`: the process that sweeps expired leases and watches the queue clusters, until ended."""

from __future__ import annotations

import signal
import threading
from typing import Any

from django.core.management.base import BaseCommand

from apps.jobs.keeper import keep


class Command(BaseCommand):
    help = "Sweeps expired job leases and pings the queue clusters, until ended."

    def handle(self, *args: Any, **options: Any) -> None:
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        keep(until=stop.is_set)
