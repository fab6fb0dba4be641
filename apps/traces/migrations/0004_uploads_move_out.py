from __future__ import annotations

from django.db import migrations


class Migration(migrations.Migration):
    """Uploads and mappings become an app of their own: `uploads.0001` takes over the tables named here."""

    dependencies = [("traces", "0003_span_parts")]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[
                migrations.AlterModelTable("Mapping", "uploads_mapping"),
                migrations.AlterModelTable("Upload", "uploads_upload"),
            ],
            state_operations=[
                migrations.DeleteModel("Upload"),
                migrations.DeleteModel("Mapping"),
            ],
        ),
    ]
