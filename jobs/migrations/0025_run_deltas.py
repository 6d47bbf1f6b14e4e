"""Runs that ended wait in one table, with what was predicted of them, instead of in two.

Those two tables stay for the version before, whose workers write them; what is or comes into them is taken by the leader
(fold_earlier.sql). Drop them a release later.
"""

from django.contrib.postgres.fields import ArrayField
from django.db import migrations, models

# Rows come and go. A batch of a hundred runs is no more than a page: to be kept as it is, for a second.
STORAGE = """
ALTER TABLE jobs_rundelta SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000,
    autovacuum_vacuum_cost_delay = 0, vacuum_truncate = off, toast_tuple_target = 8160);
"""


class Migration(migrations.Migration):
    dependencies = [("jobs", "0024_usual_of_queues")]

    operations = [
        migrations.CreateModel(
            "RunDelta",
            [
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("org_id", models.BigIntegerField()),
                ("person", models.CharField(blank=True, max_length=20)),
                ("type", models.CharField(max_length=32)),
                ("name", models.CharField(max_length=64)),
                ("runtimes_ms", ArrayField(base_field=models.FloatField(), size=None)),
                ("failed", ArrayField(base_field=models.BooleanField(), size=None)),
                ("ended", ArrayField(base_field=models.FloatField(), size=None)),
                ("predicted_ms", ArrayField(base_field=models.FloatField(), default=list, size=None)),
                ("predicted_low_ms", ArrayField(base_field=models.FloatField(null=True), default=list, size=None)),
                ("predicted_high_ms", ArrayField(base_field=models.FloatField(null=True), default=list, size=None)),
                ("failure_probability", ArrayField(base_field=models.FloatField(null=True), default=list, size=None)),
                ("model_version", ArrayField(base_field=models.IntegerField(null=True), default=list, size=None)),
            ],
        ),
        migrations.RunSQL(STORAGE, migrations.RunSQL.noop),
        migrations.SeparateDatabaseAndState(
            state_operations=[migrations.DeleteModel("MemoryDelta"), migrations.DeleteModel("AccuracyDelta")]
        ),
    ]
