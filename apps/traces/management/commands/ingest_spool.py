"""`manage.py ingest_spool`: the process that turns acknowledged bodies into traces."""

from __future__ import annotations

import signal
import threading
from typing import Any

from django.core.management.base import BaseCommand

from apps.traces.ingest import collect_seldom
from apps.traces.intake.drain import keep_draining


class Command(BaseCommand):
    help = "Drains the spool of acknowledged traces and recorded calls, until ended."

    def handle(self, *args: Any, **options: Any) -> None:
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        collect_seldom()
        keep_draining(until=stop.is_set)
