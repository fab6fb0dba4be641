"""Keyset pagination: a page costs the same at any depth, and rows that arrive do not shift it."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar, cast

import orjson
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q, QuerySet

from apps.core.errors import HubError

Row = TypeVar("Row", bound=models.Model)


class BadCursorError(HubError):
    """The cursor in the address was not made by this page."""

    def __init__(self) -> None:
        super().__init__("This page link is damaged.", hint="Open the list again.")


@dataclass(frozen=True)
class Page(Generic[Row]):
    """`rows` in descending order; `older` and `newer` are cursors, empty at the ends."""

    rows: list[Row]
    older: str = ""
    newer: str = ""

    def __iter__(self) -> Any:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)


def paginate(rows: QuerySet[Row], *, by: str, cursor: str = "", size: int = 50) -> Page[Row]:
    """One page of `rows`, newest first, ordered by (`by`, id).

    `cursor` is `""` for the first page or a value of `Page.older` / `Page.newer`.
    """
    backwards, after = _decode(cursor, rows.model, by) if cursor else (False, None)
    ordered = rows.order_by(by, "pk") if backwards else rows.order_by(f"-{by}", "-pk")
    if after is not None:
        ordered = ordered.filter(_beyond(by, after, backwards=backwards))
    found = list(ordered[: size + 1])
    more, found = len(found) > size, found[:size]
    if backwards:
        found.reverse()
    has_older, has_newer = (bool(after), more) if backwards else (more, after is not None)
    return Page(
        rows=found,
        older=_encode(found[-1], by, backwards=False) if found and has_older else "",
        newer=_encode(found[0], by, backwards=True) if found and has_newer else "",
    )


def _beyond(by: str, after: tuple[Any, int], *, backwards: bool) -> Q:
    value, pk = after
    operator = "gt" if backwards else "lt"
    return Q(**{f"{by}__{operator}": value}) | Q(**{by: value, f"pk__{operator}": pk})


def _encode(row: models.Model, by: str, *, backwards: bool) -> str:
    value = getattr(row, by)
    stamp = value.isoformat() if isinstance(value, datetime) else value
    return base64.urlsafe_b64encode(orjson.dumps([backwards, stamp, row.pk])).decode().rstrip("=")


def _decode(cursor: str, model: type[models.Model], by: str) -> tuple[bool, tuple[Any, int]]:
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        backwards, stamp, pk = orjson.loads(base64.urlsafe_b64decode(padded))
        value = cast("models.Field[Any, Any]", model._meta.get_field(by)).to_python(stamp)
        if value is None:
            raise BadCursorError
        if isinstance(value, datetime):
            value = value.astimezone(UTC)
        return bool(backwards), (value, int(pk))
    except (ValueError, TypeError, OverflowError, binascii.Error, ValidationError):
        raise BadCursorError from None


def in_chunks(rows: QuerySet[Row], size: int) -> Iterator[list[Row]]:
    """All rows in the order of their keys, one query a chunk.

    Unlike `iterator()` it leaves no cursor open: on SQLite a transaction that begins while one is open fails
    at once when another connection has written meanwhile.
    """
    last = 0
    while chunk := list(rows.filter(pk__gt=last).order_by("pk")[:size]):
        yield chunk
        last = chunk[-1].pk
