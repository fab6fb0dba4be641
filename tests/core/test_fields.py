"""JSON columns that have a type."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from django.core.exceptions import ValidationError
from django.db import connection, models, transaction
from django.db.models import Value
from django.db.models.functions import Coalesce

from apps.core.fields import StructField
from apps.discovery.columns import KeyUse, TaskFigures
from apps.discovery.models import Task
from tests.world import World


class Sizes(msgspec.Struct, frozen=True):
    small: int = 0
    large: int = 1


@pytest.fixture
def task(world: World) -> Task:
    figures = TaskFigures(calls=3, cost=0.5)
    keys = {"k1": KeyUse(2, of=4)}
    return Task.objects.create(
        agent=world.agent, cell="c", title="Look up", figures=figures, routing_keys=keys
    )


def stored(task: Task, column: str, text: str) -> Task:
    """The task as a version wrote it whose column held this text."""
    cast = "::jsonb" if connection.vendor == "postgresql" else ""
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE discovery_task SET {column} = %s{cast} WHERE id = %s",
            [text, task.pk],
        )
    return Task.objects.get(pk=task.pk)


def test_what_was_written_is_read_as_its_type(task: Task) -> None:
    read = Task.objects.get(pk=task.pk)
    assert read.figures == TaskFigures(calls=3, cost=0.5)
    assert read.routing_keys["k1"].purity == 0.5


def test_a_missing_key_takes_its_default_and_an_unknown_one_is_passed_over(task: Task) -> None:
    read = stored(task, "figures", '{"calls": 7, "of_a_later_version": [1]}')
    assert read.figures == TaskFigures(calls=7)
    assert stored(task, "routing_keys", "{}").routing_keys == {}


def test_what_is_not_of_the_type_is_not_written(task: Task) -> None:
    task.figures = TaskFigures(calls="many")  # type: ignore[arg-type]
    with pytest.raises(msgspec.ValidationError, match="calls"), transaction.atomic():
        task.save()
    with pytest.raises(msgspec.ValidationError), transaction.atomic():
        Task.objects.filter(pk=task.pk).update(routing_keys=["k1"])
    with pytest.raises(msgspec.ValidationError), transaction.atomic():
        Task.objects.bulk_update([task], ["figures"])
    with pytest.raises(ValidationError):
        task.full_clean()
    assert Task.objects.get(pk=task.pk).figures.calls == 3


def test_plain_values_of_the_right_form_are_written_too(task: Task) -> None:
    Task.objects.filter(pk=task.pk).update(routing_keys={"k2": {"calls": 1, "of": 1}})
    assert Task.objects.get(pk=task.pk).routing_keys == {"k2": KeyUse(1, of=1)}


def test_it_is_looked_into_like_any_json_column(task: Task) -> None:
    found = Task.objects.filter(figures__calls=3, figures__cost__gt=0.1, routing_keys__has_key="k1")
    assert found.get() == task
    assert Task.objects.filter(figures=TaskFigures(calls=3, cost=0.5)).get() == task
    assert list(found.values_list("figures__calls", "routing_keys__k1__of")) == [(3, 4)]
    assert [row["figures"].calls for row in found.values("figures")] == [3]
    empty = Value(TaskFigures(), output_field=Task._meta.get_field("figures"))
    assert found.annotate(known=Coalesce("figures", empty)).get().known.calls == 3


def test_many_rows_are_written_at_once(task: Task) -> None:
    task.figures = TaskFigures(calls=9)
    Task.objects.bulk_update([task], ["figures"])
    assert Task.objects.get(pk=task.pk).figures.calls == 9


@pytest.mark.parametrize(
    ("field", "plain"),
    [
        (StructField(Sizes, default=Sizes), models.JSONField(default=dict)),
        (StructField(list[int], default=list, help_text="h"), models.JSONField(default=list, help_text="h")),
        (StructField(Sizes, null=True), models.JSONField(null=True)),
    ],
)
def test_a_migration_sees_a_plain_column_so_that_no_struct_stands_in_it(field: Any, plain: Any) -> None:
    assert field.deconstruct()[1:] == plain.deconstruct()[1:]
    assert field.clone().shape == field.shape
