from __future__ import annotations

from django.conf import settings
from django.db import migrations, models

# Who may steer the jobs that were made before the right stood on the row: as who may start them.
RIGHTS = {
    "apps.traces.jobs.import_upload": "ingest",
    "apps.uploads.jobs.import_upload": "ingest",
    "apps.discovery.jobs.run": "label",
    "apps.datasets.jobs.run": "build",
    "apps.training.jobs.run": "build",
    "apps.evaluation.jobs.run": "build",
}


def give_rights(apps, schema_editor):
    """What is not named here (prices, the demo) keeps the strictest right."""
    jobs = apps.get_model("jobs", "Job").objects
    for entry, right in RIGHTS.items():
        jobs.filter(entry=entry).update(right=right)


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0001_initial"),
        ("jobs", "0001_initial"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name="job",
            name="exclusive_key",
            field=models.CharField(blank=True, max_length=120),
        ),
        migrations.AddField(
            model_name="job",
            name="right",
            field=models.CharField(default="manage", help_text="accounts.Right", max_length=10),
            preserve_default=False,
        ),
        migrations.RunPython(give_rights, migrations.RunPython.noop),
        migrations.AddConstraint(
            model_name="job",
            constraint=models.UniqueConstraint(
                condition=models.Q(
                    ("state__in", ("queued", "running")), models.Q(("exclusive_key", ""), _negated=True)
                ),
                fields=("workspace", "exclusive_key"),
                name="one_open_job_per_exclusive_key",
            ),
        ),
    ]
