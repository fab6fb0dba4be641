"""`manage.py seed_catalogue`: creates or refreshes the rows of the model catalogue."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from apps.registry.services import seed_catalogue


class Command(BaseCommand):
    help = "Creates or refreshes the rows of the model catalogue."

    def handle(self, *arguments: Any, **options: Any) -> None:
        self.stdout.write(f"{seed_catalogue()} models in the catalogue")
