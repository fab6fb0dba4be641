from __future__ import annotations

from django.db import migrations


def rename_entries(apps, schema_editor):
    """Runs that wait or may be tried again are found under their new name."""
    jobs = apps.get_model("jobs", "Job").objects.filter(entry="apps.traces.jobs.recompute_costs")
    jobs.update(entry="apps.prices.jobs.recompute_costs")


class Migration(migrations.Migration):
    dependencies = [("prices", "0001_initial"), ("jobs", "0001_initial")]

    operations = [migrations.RunPython(rename_entries, migrations.RunPython.noop)]
