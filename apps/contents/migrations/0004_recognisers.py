from __future__ import annotations

from django.db import migrations, models

# Django would make the table anew on SQLite, gigabytes of it, and lose the triggers of the search (0002).
ADD = "ALTER TABLE contents_content ADD COLUMN recognisers varchar(12) DEFAULT '' NOT NULL"
UNDO = "ALTER TABLE contents_content DROP COLUMN recognisers"


class Migration(migrations.Migration):
    dependencies = [("contents", "0003_details")]
    operations = [
        migrations.RunSQL(
            ADD,
            UNDO,
            state_operations=[
                migrations.AddField(
                    model_name="content",
                    name="recognisers",
                    field=models.CharField(
                        blank=True,
                        default="",
                        help_text="the version of the recognisers that searched it",
                        max_length=12,
                    ),
                )
            ],
        )
    ]
