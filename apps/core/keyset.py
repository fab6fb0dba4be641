"""Keyset pagination: a page costs the same at any depth, and rows that arrive do not shift it."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

import orjson
from django.db import models
from django.db.models import Q, QuerySet

Row = TypeVar("Row", bound=models.Model)


class BadCursorError(ValueError):
    """The cursor in the address was not made by this page."""


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
    backwards, after = _decode(cursor) if cursor else (False, None)
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


def _decode(cursor: str) -> tuple[bool, tuple[Any, int]]:
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        backwards, stamp, pk = orjson.loads(base64.urlsafe_b64decode(padded))
        value = datetime.fromisoformat(stamp) if isinstance(stamp, str) and "T" in stamp else stamp
        return bool(backwards), (value, int(pk))
    except (ValueError, TypeError, binascii.Error) as error:
        raise BadCursorError("This page link is damaged; open the list again.") from error
