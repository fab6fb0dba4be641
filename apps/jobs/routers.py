"""Which database a table lies in: the broker has one of its own where there is no Redis."""

from __future__ import annotations

from typing import Any

from django.conf import settings


class BrokerRouter:
    """Keeps the ORM broker's tables in their own SQLite file when there is no Redis."""

    def db_for_read(self, model: Any, **hints: Any) -> str | None:
        return "queue" if model._meta.app_label == "django_q" and "queue" in settings.DATABASES else None

    db_for_write = db_for_read

    def allow_relation(self, first: Any, second: Any, **hints: Any) -> bool | None:
        return None

    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool | None:
        if "queue" not in settings.DATABASES:
            return None
        return (app_label == "django_q") == (db == "queue")
