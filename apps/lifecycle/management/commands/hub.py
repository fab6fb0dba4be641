"""`manage.py hub`: one process tree for one machine."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser
from django.db import connections

from apps.core.health import state_path
from apps.lifecycle import processes
from apps.registry.services import seed_catalogue
from slmhub.supervision.supervisor import Supervisor


class Command(BaseCommand):
    help = "Runs web, queue workers, specialist server, keeper and ingest, and restarts what dies."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--host", default="127.0.0.1")
        parser.add_argument("--port", type=int, default=settings.PORT)
        parser.add_argument("--demo", action="store_true", help="also run the demo's simulated teacher")

    def handle(self, *args: Any, **options: Any) -> None:
        processes.migrate_all()
        seed_catalogue()
        connections.close_all()
        children = [
            processes.web(options["host"], options["port"]),
            processes.worker("default"),
            processes.worker("gpu"),
            processes.specialist_server(),
            processes.keeper(),
            processes.ingest(),
            *([processes.demo_teacher()] if options["demo"] else []),
        ]
        self.stdout.write(f"SLM Hub: http://{options['host']}:{options['port']}/  (Ctrl-C ends it)")
        Supervisor(children, state_path()).run()
