from __future__ import annotations

from typing import Any

from django.db import migrations, models
from django.db.models import Value
from django.db.models.fields.json import KT
from django.db.models.functions import Coalesce, Left


def take_out_of_attributes(apps: Any, schema_editor: Any) -> None:
    """The gateway's own spans alone: on any other one an attribute of this name says nothing."""
    spans = apps.get_model("traces", "Span").objects.using(schema_editor.connection.alias)
    spans.filter(source="gateway", attributes__has_key="slmhub").update(
        fallback=Left(Coalesce(KT("attributes__slmhub__fallback"), Value("")), 200)
    )


class Migration(migrations.Migration):
    """Why a specialist did not answer stands in a column that the gateway alone can fill."""

    dependencies = [("traces", "0004_uploads_move_out")]

    operations = [
        migrations.AddField("span", "fallback", models.CharField(blank=True, max_length=200)),
        migrations.RunPython(take_out_of_attributes, migrations.RunPython.noop),
    ]
