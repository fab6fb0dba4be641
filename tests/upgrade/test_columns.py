"""What version 0bb40d4 wrote into JSON columns is read by the types that they have now, and nothing is lost.

`columns.json` holds values of real rows: `app.Model.column` → texts as they stood in the table.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from django.apps import apps

from apps.core.fields import StructField

BEFORE: dict[str, list[str]] = json.loads((Path(__file__).parent / "columns.json").read_text())
# Columns that no row of that version filled.
NEVER_FILLED = {"lifecycle.Conversion.judged"}


def typed_columns() -> dict[str, StructField[Any]]:
    return {
        f"{model._meta.label}.{field.name}": field
        for model in apps.get_models()
        for field in model._meta.concrete_fields
        if isinstance(field, StructField)
    }


def test_every_typed_column_is_held_against_the_version_before() -> None:
    assert set(typed_columns()) == set(BEFORE) | NEVER_FILLED


@pytest.mark.parametrize(
    ("column", "text"), [(name, text) for name, texts in BEFORE.items() for text in texts]
)
def test_it_is_read_and_nothing_is_lost(column: str, text: str) -> None:
    read = typed_columns()[column].from_db_value(text, None, None)
    assert missing(json.loads(text), json.loads(msgspec.json.encode(read))) == []


def missing(old: Any, new: Any, path: str = "") -> list[str]:
    """The places of `old` that are not the same in `new`."""
    if isinstance(old, dict) and isinstance(new, dict):
        return [lost for key in old for lost in missing(old[key], new.get(key), f"{path}.{key}")]
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        pairs = enumerate(zip(old, new, strict=True))
        return [lost for at, (one, other) in pairs for lost in missing(one, other, f"{path}[{at}]")]
    return [] if old == new else [path]
