"""`manage.py ingest_spool`: the process that turns acknowledged bodies into traces."""

from __future__ import annotations

import signal
import threading
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from apps.ingest.drain import keep_draining, put_refused_back
from apps.ingest.services import collect_seldom


class Command(BaseCommand):
    help = "Drains the spool of acknowledged traces and recorded calls, until ended."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--retry-refused",
            action="store_true",
            help="only puts bodies that could not be stored back into the spool, and ends",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["retry_refused"]:
            self.stdout.write(f"{put_refused_back():,} bodies wait to be stored again.")
            return
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        collect_seldom()
        keep_draining(until=stop.is_set)
