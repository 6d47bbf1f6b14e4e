"""What has happened since the beginning, by job type: counters that a restart or a deletion does not lower."""

from django.contrib.postgres.fields import ArrayField
from django.db import migrations, models

NUMBERS = ("created", "done", "dead", "cancelled", "replayed", "failed", "retried", "lost")


class Migration(migrations.Migration):
    dependencies = [("jobs", "0044_search_top")]

    operations = [
        migrations.CreateModel(
            "Total",
            [
                ("type", models.CharField(max_length=32, primary_key=True, serialize=False)),
                *((name, models.BigIntegerField()) for name in NUMBERS),
                ("wait_ms", models.FloatField()),
                ("run_ms", models.FloatField()),
                ("processing_ms", models.FloatField()),
                ("bins", ArrayField(base_field=models.SmallIntegerField(), size=None)),
                ("counts", ArrayField(base_field=models.BigIntegerField(), size=None)),
            ],
        ),
        # the same few rows are written over and over: in place, where there is room
        migrations.RunSQL("ALTER TABLE jobs_total SET (fillfactor = 30);", migrations.RunSQL.noop),
    ]
