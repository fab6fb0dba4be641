from __future__ import annotations

from django.db import migrations, models

# As in contents 0004: the table stays as it is, however many rows it has.
ADD = "ALTER TABLE privacy_finding ADD COLUMN recogniser varchar(40) DEFAULT '' NOT NULL"
UNDO = "ALTER TABLE privacy_finding DROP COLUMN recogniser"


class Migration(migrations.Migration):
    dependencies = [("privacy", "0001_initial")]
    operations = [
        migrations.RunSQL(
            ADD,
            UNDO,
            state_operations=[
                migrations.AddField(
                    model_name="finding",
                    name="recogniser",
                    field=models.CharField(
                        blank=True, default="", help_text="name and version of what found it", max_length=40
                    ),
                )
            ],
        )
    ]
