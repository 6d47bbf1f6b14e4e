"""What is remembered of past runs, by kind, type, user and organisation; from now on instead of jobs_runtimehistory.

That table stays, unused, for the version before this one. Drop it a release later.
"""

import django.contrib.postgres.fields
from django.db import migrations, models

# Memories are written anew again and again: room in each page for their next versions. Deltas come and go.
STORAGE = """
ALTER TABLE jobs_runtimememory SET (fillfactor = 70);
ALTER TABLE jobs_memorydelta SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000,
    autovacuum_vacuum_cost_delay = 0, vacuum_truncate = off);
"""


class Migration(migrations.Migration):
    dependencies = [("jobs", "0016_artefact_org")]

    operations = [
        migrations.CreateModel(
            name="RuntimeMemory",
            fields=[
                ("pk", models.CompositePrimaryKey("org_id", "level", "key", blank=True, editable=False, primary_key=True, serialize=False)),
                ("org_id", models.BigIntegerField()),
                ("level", models.SmallIntegerField()),
                ("key", models.TextField()),
                ("runs", models.BigIntegerField()),
                ("failures", models.BigIntegerField()),
                ("means", django.contrib.postgres.fields.ArrayField(base_field=models.FloatField(), size=None)),
                ("squares", django.contrib.postgres.fields.ArrayField(base_field=models.FloatField(), size=None)),
                ("failed", models.FloatField()),
                ("last_ended", models.FloatField()),
                ("recent_ms", django.contrib.postgres.fields.ArrayField(base_field=models.FloatField(), null=True, size=None)),
                ("recent_failed", django.contrib.postgres.fields.ArrayField(base_field=models.BooleanField(), null=True, size=None)),
                ("recent_ended", django.contrib.postgres.fields.ArrayField(base_field=models.FloatField(), null=True, size=None)),
            ],
        ),
        migrations.CreateModel(
            name="MemoryDelta",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("org_id", models.BigIntegerField()),
                ("person", models.CharField(blank=True, max_length=20)),
                ("type", models.CharField(max_length=32)),
                ("name", models.CharField(max_length=64)),
                ("runtimes_ms", django.contrib.postgres.fields.ArrayField(base_field=models.FloatField(), size=None)),
                ("failed", django.contrib.postgres.fields.ArrayField(base_field=models.BooleanField(), size=None)),
                ("ended", django.contrib.postgres.fields.ArrayField(base_field=models.FloatField(), size=None)),
            ],
        ),
        migrations.RunSQL(STORAGE, migrations.RunSQL.noop),
        migrations.SeparateDatabaseAndState(state_operations=[migrations.DeleteModel("RuntimeHistory")]),
    ]
