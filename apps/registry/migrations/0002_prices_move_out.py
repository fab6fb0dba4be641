from __future__ import annotations

from typing import Any

from django.db import migrations


def become_prices(apps: Any, schema_editor: Any) -> None:
    """What teachers were said to cost, as prices of their workspace.

    The newest teacher of a model says its price; a price that the workspace has for it already stands. What
    cannot be a price of a model (no model is named, half of it is missing, another one stands) is kept under
    a name that no call bears, where people find it.
    """
    alias = schema_editor.connection.alias
    prices = apps.get_model("prices", "Price").objects.using(alias)
    teachers = apps.get_model("registry", "Teacher").objects.using(alias).select_related("agent")
    for teacher in teachers.order_by("-pk"):
        given = teacher.input_price, teacher.output_price
        if given == (None, None):
            continue
        model = teacher.model.strip().lower()
        is_whole = bool(model) and None not in given
        if not is_whole or prices.filter(workspace=teacher.workspace_id, model__iexact=model).exists():
            agent = teacher.agent.slug if teacher.agent else teacher.pk
            model = f"teacher of {agent}: {teacher.name}".lower()[:120]
        said = " and ".join("an unknown price" if value is None else f"${value:g}" for value in given)
        prices.create(
            workspace_id=teacher.workspace_id,
            model=model,
            input=given[0] or 0.0,
            output=given[1] or 0.0,
            source=f"Teacher “{teacher.name}”: {said} (in and out)"[:200],
        )


class Migration(migrations.Migration):
    """What a model costs is said in one place: the workspace's prices."""

    dependencies = [("registry", "0001_initial"), ("prices", "0002_jobs_move_in")]

    operations = [
        migrations.RunPython(become_prices, migrations.RunPython.noop),
        migrations.RemoveField("teacher", "input_price"),
        migrations.RemoveField("teacher", "output_price"),
    ]
