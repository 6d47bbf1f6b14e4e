"""What is remembered of past runs, by kind, type, user and organisation; from now on instead of jobs_runtimehistory.

That table stays, unused, for the version before this one. Drop it a release later.
Of the runs in it the kinds, types and organisations are filled; what users ran begins anew.
"""

import django.contrib.postgres.fields
from django.db import migrations, models

# Memories are written anew again and again: room in each page for their next versions. Deltas come and go.
STORAGE = """
ALTER TABLE jobs_runtimememory SET (fillfactor = 70);
ALTER TABLE jobs_memorydelta SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000,
    autovacuum_vacuum_cost_delay = 0, vacuum_truncate = off);
"""

# The newest runs of each kind were kept, at most 16. A mean over them stands for all runs of its key.
FILL = """
INSERT INTO jobs_runtimememory (
    org_id, level, key, runs, failures, means, squares, failed, last_ended, recent_ms, recent_failed, recent_ended
)
WITH run AS (
    SELECT org_id, type, name, history.runs, history.failures, kept.ms, kept.failed, place,
           ln(least(greatest(kept.ms, 1), 604800000)) AS x,
           date_part('epoch', last_ended_at) - coalesce(sum(gap) OVER (
               PARTITION BY org_id, type, name ORDER BY place ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING), 0) AS ended
    FROM jobs_runtimehistory AS history
    CROSS JOIN LATERAL unnest(runtimes_ms, gaps_seconds, history.failed) WITH ORDINALITY AS kept (ms, gap, failed, place)
), placed AS (
    SELECT run.*, level, key, row_number() OVER (PARTITION BY org_id, level, key ORDER BY ended DESC, place DESC) - 1 AS newer
    FROM run CROSS JOIN LATERAL (VALUES (1, type || chr(31) || name), (3, type), (4, '')) AS levels (level, key)
), summed AS (
    SELECT org_id, level, key, sum(runs) FILTER (WHERE place = 1) AS runs,
           coalesce(sum(failures) FILTER (WHERE place = 1), 0) AS failures, max(ended) AS last_ended, count(*) AS kept,
           array_agg(ms ORDER BY newer DESC) AS recent_ms, array_agg(failed ORDER BY newer DESC) AS recent_failed,
           array_agg(ended ORDER BY newer DESC) AS recent_ended,
           ARRAY[sum(0.5 * 0.5::float8 ^ least(newer, 600) * x), sum(0.2 * 0.8::float8 ^ least(newer, 600) * x),
                 sum(0.05 * 0.95::float8 ^ least(newer, 600) * x)] AS means,
           ARRAY[sum(0.5 * 0.5::float8 ^ least(newer, 600) * x * x), sum(0.2 * 0.8::float8 ^ least(newer, 600) * x * x),
                 sum(0.05 * 0.95::float8 ^ least(newer, 600) * x * x)] AS squares,
           coalesce(sum(0.2 * 0.8::float8 ^ least(newer, 600)) FILTER (WHERE failed), 0) AS failed
    FROM placed GROUP BY org_id, level, key
), weight AS (
    SELECT *, (1 - 0.5::float8 ^ least(runs, 600)) / (1 - 0.5::float8 ^ least(kept, 600)) AS fast,
           (1 - 0.8::float8 ^ least(runs, 600)) / (1 - 0.8::float8 ^ least(kept, 600)) AS even,
           (1 - 0.95::float8 ^ least(runs, 600)) / (1 - 0.95::float8 ^ least(kept, 600)) AS slow
    FROM summed
)
SELECT org_id, level, key, runs, failures, ARRAY[means[1] * fast, means[2] * even, means[3] * slow],
       ARRAY[squares[1] * fast, squares[2] * even, squares[3] * slow], failed * even, last_ended,
       CASE WHEN level = 1 THEN recent_ms END, CASE WHEN level = 1 THEN recent_failed END,
       CASE WHEN level = 1 THEN recent_ended END
FROM weight;
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
        migrations.RunSQL(FILL, migrations.RunSQL.noop),
        migrations.SeparateDatabaseAndState(state_operations=[migrations.DeleteModel("RuntimeHistory")]),
    ]
