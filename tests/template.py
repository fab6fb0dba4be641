"""Migrated databases, made once by `python -m tests.template` and copied by every run of the tests."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

NAME = "hub_template"


def main() -> None:
    """Migrates the databases of this HUB_HOME, or a new one of the PostgreSQL server."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "slmhub.settings"
    from django.conf import settings

    default = settings.DATABASES["default"]
    if "postgresql" in default["ENGINE"]:
        _on_server(default, f'CREATE DATABASE "{NAME}"')
        default["NAME"] = NAME
    import django

    django.setup()
    from django.core.management import call_command
    from django.db import connections

    for alias in connections:
        call_command("migrate", database=alias, interactive=False, verbosity=0)
    connections.close_all()


def put_copies(folder: Path) -> None:
    """Makes the test databases of this process, as `main` left them in `folder` or on the server."""
    from django.db import connections

    for alias in connections:
        connection = connections[alias]
        name = connection.creation._get_test_db_name()
        if connection.vendor == "postgresql":
            statement = f'CREATE DATABASE "{name}" TEMPLATE "{NAME}"'
            _on_server(connection.settings_dict, f'DROP DATABASE IF EXISTS "{name}"', statement)
        else:
            shutil.copy(folder / Path(connection.settings_dict["NAME"]).name, name)


def _on_server(settings: dict[str, Any], *statements: str) -> None:
    import psycopg

    place = {key.lower(): settings[key] for key in ("HOST", "PORT", "USER", "PASSWORD") if settings[key]}
    with psycopg.connect(dbname="postgres", autocommit=True, **place) as server:
        for statement in statements:
            server.execute(statement)


if __name__ == "__main__":
    main()
