"""`manage.py demo`: the demo workspace, then the hub with the simulated teacher (`make demo`)."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandParser

from apps.lifecycle.demo import CALLS, prepare
from apps.lifecycle.processes import migrate_all
from slmhub.demo.people import DEMO_PASSWORD, PEOPLE, STRANGER


class Command(BaseCommand):
    help = "Prepares the demo workspace and runs the hub."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--calls", type=int, default=CALLS)
        parser.add_argument("--prepare-only", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        migrate_all()
        prepare(calls=options["calls"])
        self.stdout.write(f"Sign in at http://127.0.0.1:{settings.PORT}/ (password of all: {DEMO_PASSWORD})")
        for person in (*PEOPLE, STRANGER):
            where = "" if person is not STRANGER else ", in another workspace"
            self.stdout.write(f"  {person.email:<28} {person.role}{where}")
        if not options["prepare_only"]:
            call_command("hub", demo=True)
