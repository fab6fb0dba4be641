"""Every row of every app as a line of JSON, by the names that the running version gives them.

`fill.py` imports it beside that version's models, the checks beside the present ones.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date, datetime
from typing import IO, Any

import msgspec
from django.apps import apps


def write(file: IO[str]) -> None:
    for row in rows():
        file.write(json.dumps(row) + "\n")


def rows() -> Iterator[tuple[str, Any, dict[str, Any]]]:
    """(model, primary key, values by column)."""
    models = [model for model in apps.get_models() if model.__module__.startswith("apps.")]
    for model in sorted(models, key=lambda one: one.__name__):
        names = [field.attname for field in model._meta.concrete_fields if not field.primary_key]
        for key, *values in model._base_manager.order_by("pk").values_list("pk", *names).iterator():
            yield model.__name__, key, dict(zip(names, map(plain, values), strict=True))


def plain(value: Any) -> Any:
    if isinstance(value, bytes | memoryview):
        return bytes(value).hex()
    if isinstance(value, datetime | date):
        return value.isoformat()
    return json.loads(json.dumps(msgspec.to_builtins(value)))
