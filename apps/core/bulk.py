"""Writing many rows of one model: what bulk_create and bulk_update do, without their work for each value."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import orjson
from django.db import connection, models

# The same statement again and again is prepared once; PostgreSQL takes 65,535 values at once.
_ROWS = 50

Convert = Callable[[Any], Any]


def insert(rows: Sequence[models.Model]) -> None:
    """Inserts unsaved rows of one model and sets their ids. Values must be of their columns' own types."""
    if not rows:
        return
    fields = [field for field in type(rows[0])._meta.concrete_fields if not field.primary_key]
    table = _columns(type(rows[0]), fields)
    columns = [(field.attname, _converter(field)) for field in fields]
    row_of = f"({', '.join(['%s'] * len(fields))})"
    with connection.cursor() as cursor:
        for at in range(0, len(rows), _ROWS):
            chunk = rows[at : at + _ROWS]
            values = [convert(getattr(row, name)) for row in chunk for name, convert in columns]
            cursor.execute(f"{table} VALUES {', '.join([row_of] * len(chunk))} RETURNING id", values)
            for row, (pk,) in zip(chunk, cursor.fetchall(), strict=True):
                row.pk = pk
                row._state.adding = False
                row._state.db = connection.alias


def insert_values(model: type[models.Model], names: Sequence[str], values: Sequence[Sequence[Any]]) -> None:
    """Inserts rows of plain values; nobody asks for their ids."""
    fields = [model._meta.get_field(name) for name in names]
    marks = ", ".join(["%s"] * len(fields))
    if values:
        with connection.cursor() as cursor:
            cursor.executemany(f"{_columns(model, fields)} VALUES ({marks})", values)


def update(rows: Sequence[models.Model], names: Sequence[str]) -> None:
    """Writes these fields of stored rows of one model."""
    if not rows:
        return
    model = type(rows[0])
    fields: list[Any] = [model._meta.get_field(name) for name in names]
    columns = [(field.attname, _converter(field)) for field in fields]
    quote = connection.ops.quote_name
    places = ", ".join(f"{quote(field.column)} = %s" for field in fields)
    values = [[*(convert(getattr(row, name)) for name, convert in columns), row.pk] for row in rows]
    with connection.cursor() as cursor:
        cursor.executemany(f"UPDATE {quote(model._meta.db_table)} SET {places} WHERE id = %s", values)  # noqa: S608


def _columns(model: type[models.Model], fields: Sequence[Any]) -> str:
    quote = connection.ops.quote_name
    return f"INSERT INTO {quote(model._meta.db_table)} ({', '.join(quote(field.column) for field in fields)})"


def _converter(field: Any) -> Convert:
    if isinstance(field, models.JSONField):
        return json_text
    if isinstance(field, models.DateTimeField):
        return connection.ops.adapt_datetimefield_value
    if isinstance(field, models.CharField | models.TextField):
        return _text
    return _as_it_is


def json_text(value: Any) -> str | None:
    """Compact JSON; None for SQL NULL."""
    if value is None:
        return None
    try:
        return orjson.dumps(value, default=msgspec.to_builtins).decode()
    except TypeError:
        # Whole numbers of more than 64 bits.
        return json.dumps(value, separators=(",", ":"))


def _text(value: Any) -> Any:
    # Members of enumerations are texts of a type that drivers do not know.
    return value if value.__class__ is str else str(value)


def _as_it_is(value: Any) -> Any:
    return value
