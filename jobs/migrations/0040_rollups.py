"""Sums by the minute, hour and day; since when a lease's job had waited, and since when a version has run."""

from django.contrib.postgres.fields import ArrayField
from django.db import migrations, models

# Rows of the present minute, hour and day are written over and over: in place, where there is room.
STORAGE = "ALTER TABLE jobs_rollup SET (fillfactor = 70);"
NUMBERS = (
    "done", "error", "timeout", "crashed", "lost", "cancelled", "released", "retried", "dead", "created", "waited",
)  # fmt: skip


class Migration(migrations.Migration):
    dependencies = [("jobs", "0039_attempt_wait")]

    operations = [
        migrations.AddField("lease", "queued_at", models.DateTimeField(null=True)),
        migrations.CreateModel(
            "Rollup",
            [
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("org_id", models.BigIntegerField()),
                ("seconds", models.IntegerField()),
                ("at", models.DateTimeField()),
                ("queue", models.CharField(blank=True, max_length=40)),
                ("type", models.CharField(blank=True, max_length=32)),
                ("name", models.CharField(blank=True, max_length=64)),
                *((name, models.BigIntegerField()) for name in NUMBERS),
                ("wait_ms", models.FloatField()),
                ("run_ms", models.FloatField()),
                ("predicted_ms", models.FloatField()),
                ("judged", models.BigIntegerField()),
                ("log2_error", models.FloatField()),
                ("log2_bias", models.FloatField()),
                ("relative_error", models.FloatField()),
                ("ranged", models.BigIntegerField()),
                ("in_range", models.BigIntegerField()),
                ("bins", ArrayField(base_field=models.SmallIntegerField(), size=None)),
                ("counts", ArrayField(base_field=models.BigIntegerField(), size=None)),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("org_id", "seconds", "at", "queue", "type", "name"), name="rollup_uniq"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("seconds__in", [60, 3600, 86400])), name="rollup_seconds_valid"
                    ),
                ],
                "indexes": [
                    models.Index(
                        condition=models.Q(("queue", ""), ("type", "")), fields=["org_id", "seconds", "at"],
                        name="rollup_all_idx",
                    ),
                    models.Index(fields=["seconds", "at"], name="rollup_age_idx"),
                ],
            },
        ),
        migrations.CreateModel(
            "RollupMark",
            [
                ("id", models.SmallIntegerField(default=1, primary_key=True, serialize=False)),
                ("attempt_id", models.BigIntegerField()),
                ("move_id", models.BigIntegerField()),
                ("attempts_left", models.BigIntegerField()),
                ("moves_left", models.BigIntegerField()),
            ],
            options={
                "constraints": [models.CheckConstraint(condition=models.Q(("id", 1)), name="rollupmark_one")]
            },
        ),
        migrations.CreateModel(
            "Release",
            [
                ("version", models.CharField(max_length=32, primary_key=True, serialize=False)),
                ("seen_at", models.DateTimeField()),
            ],
        ),
        migrations.RunSQL(STORAGE, migrations.RunSQL.noop),
    ]
