from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("traces", "0002_wire_formats")]
    operations = [
        migrations.AddField("span", "delivered", models.BinaryField(blank=True, default=bytes, editable=False)),
        migrations.AddField("span", "parts", models.JSONField(editable=False, null=True)),
    ]
