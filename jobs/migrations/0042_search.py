"""What jobs are searched by, and errors that say the same: tables beside the jobs, filled by the leader."""

import django.contrib.postgres.indexes
import django.contrib.postgres.search
from django.db import migrations, models

STORAGE = """
ALTER TABLE jobs_searchentry SET (autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05);
ALTER TABLE jobs_searchentry ALTER COLUMN words SET STATISTICS 500;
"""
# Behind row-level security the operators of text search enter no index: PostgreSQL asks them only of rows that it has
# found to be the organisation's. So these ask as the owner of the table, and hold to the organisation themselves: to the
# one that the session has been told to act in, where it acts as the role of the web. docs/decisions/0022-search.md.
# Bitmaps alone: to walk through all jobs in their order until enough have matched may be to walk through all. Only the
# next 5,000 are: they have enough of a frequent word. Then the ids between two moments, three times as far with each
# step, so that of a rarer word, too, few are read; of a rare one all are within a dozen steps. Beyond `likely` there is
# hardly one: what is there is looked for first, in one step.
FUNCTIONS = """
DO $do$ BEGIN EXECUTE format($format$
CREATE FUNCTION jobs_search_ids(
    org bigint, wanted tsquery, after uuid, before uuid, most int, newest boolean, oldest_id uuid, newest_id uuid,
    likely uuid)
RETURNS SETOF uuid LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 200
SET search_path = pg_catalog, %I, pg_temp SET enable_indexscan = off SET enable_seqscan = off
SET plan_cache_mode = force_custom_plan SET work_mem = '32MB' SET jit = off
AS $body$
DECLARE
    low uuid := after;
    high uuid := before;
    -- the milliseconds that ids of version 7 begin with
    first_ms bigint := ('x' || translate(left(greatest(after, oldest_id)::text, 13), '-', ''))::bit(48)::bigint;
    last_ms bigint := ('x' || translate(left(least(before, newest_id, likely)::text, 13), '-', ''))::bit(48)::bigint;
    step_ms bigint := 900000;
    near uuid[];
    got int;
BEGIN
    IF current_setting('role') <> 'none' AND org IS DISTINCT FROM nullif(current_setting('app.org', true), '')::bigint THEN
        RETURN;
    END IF;
    IF newest AND likely > after AND likely < before THEN
        RETURN QUERY SELECT job_id FROM jobs_searchentry
            WHERE words @@ wanted AND org_id = org AND job_id > after AND job_id >= likely AND job_id < high
            ORDER BY job_id DESC LIMIT most;
        GET DIAGNOSTICS got = ROW_COUNT;
        most := most - got;
        high := likely;
    END IF;
    IF newest AND most > 0 THEN
        PERFORM set_config('enable_indexscan', 'on', true);
        SELECT array_agg(job_id) FILTER (WHERE words @@ wanted AND org_id = org), (array_agg(job_id))[5000]
        INTO near, low
        FROM (SELECT job_id, org_id, words FROM jobs_searchentry WHERE job_id > after AND job_id < high
              ORDER BY job_id DESC LIMIT 5000) AS few;
        PERFORM set_config('enable_indexscan', 'off', true);
        RETURN QUERY SELECT id FROM unnest(near) AS id ORDER BY id DESC LIMIT most;
        IF low IS NULL THEN
            RETURN;
        END IF;
        most := most - coalesce(cardinality(near), 0);
        high := low;
        last_ms := ('x' || translate(left(low::text, 13), '-', ''))::bit(48)::bigint;
    END IF;
    WHILE most > 0 AND low < before AND high > after LOOP
        IF newest THEN
            last_ms := last_ms - step_ms;
            low := CASE WHEN last_ms > first_ms THEN rpad(lpad(to_hex(last_ms), 12, '0'), 32, '0')::uuid ELSE after END;
            RETURN QUERY SELECT job_id FROM jobs_searchentry
                WHERE words @@ wanted AND org_id = org AND job_id > after AND job_id >= low AND job_id < high
                ORDER BY job_id DESC LIMIT most;
            high := low;
        ELSE
            first_ms := first_ms + step_ms;
            high := CASE WHEN first_ms < last_ms THEN rpad(lpad(to_hex(first_ms), 12, '0'), 32, '0')::uuid ELSE before END;
            RETURN QUERY SELECT job_id FROM jobs_searchentry
                WHERE words @@ wanted AND org_id = org AND job_id > after AND job_id >= low AND job_id < high
                ORDER BY job_id LIMIT most;
            low := high;
        END IF;
        GET DIAGNOSTICS got = ROW_COUNT;
        most := most - got;
        step_ms := step_ms * 3;
    END LOOP;
END
$body$;
$format$, current_schema()); END $do$
"""
AWAY = """
DROP FUNCTION jobs_search_ids(bigint, tsquery, uuid, uuid, int, boolean, uuid, uuid, uuid);
"""


class Migration(migrations.Migration):
    dependencies = [("jobs", "0041_tags")]

    operations = [
        migrations.CreateModel(
            name='SearchEntry',
            fields=[
                ('job_id', models.UUIDField(primary_key=True, serialize=False)),
                ('org_id', models.BigIntegerField()),
                ('words', django.contrib.postgres.search.SearchVectorField()),
                ('error_fingerprint', models.CharField(blank=True, max_length=16)),
            ],
            options={
                'indexes': [django.contrib.postgres.indexes.GinIndex(fields=['words'], name='searchentry_words_idx'), models.Index(fields=['org_id'], name='searchentry_org_idx'), models.Index(condition=models.Q(('error_fingerprint', ''), _negated=True), fields=['org_id', 'error_fingerprint', 'job_id'], name='searchentry_error_idx')],
            },
        ),
        migrations.CreateModel(
            name='SearchFacet',
            fields=[
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('org_id', models.BigIntegerField()),
                ('kind', models.CharField(max_length=10)),
                ('value', models.CharField(max_length=128)),
                ('seen_at', models.DateTimeField()),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('org_id', 'kind', 'value'), name='searchfacet_uniq')],
            },
        ),
        migrations.CreateModel(
            name='Follower',
            fields=[
                ('name', models.CharField(max_length=20, primary_key=True, serialize=False)),
                ('done_id', models.BigIntegerField(db_default=0, default=0)),
                ('done_at', models.DateTimeField(null=True)),
                ('final_id', models.BigIntegerField(db_default=0, default=0)),
                ('final_at', models.DateTimeField(null=True)),
                ('next_id', models.BigIntegerField(db_default=0, default=0)),
                ('next_at', models.DateTimeField(null=True)),
                ('next_xid', models.BigIntegerField(null=True)),
            ],
        ),
        migrations.CreateModel(
            name='ErrorGroup',
            fields=[
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('org_id', models.BigIntegerField()),
                ('fingerprint', models.CharField(max_length=16)),
                ('error_type', models.CharField(blank=True, max_length=128)),
                ('sample', models.TextField(blank=True)),
                ('attempts', models.BigIntegerField()),
                ('first_at', models.DateTimeField()),
                ('last_at', models.DateTimeField()),
                ('last_job_id', models.UUIDField()),
            ],
            options={
                'indexes': [models.Index(fields=['org_id', '-last_at', '-id'], name='errorgroup_latest_idx'), models.Index(fields=['org_id', '-attempts', '-id'], name='errorgroup_most_idx')],
                'constraints': [models.UniqueConstraint(fields=('org_id', 'fingerprint'), name='errorgroup_uniq')],
            },
        ),
        migrations.CreateModel(
            name='ErrorCount',
            fields=[
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('org_id', models.BigIntegerField()),
                ('fingerprint', models.CharField(max_length=16)),
                ('hour', models.DateTimeField()),
                ('queue', models.CharField(max_length=40)),
                ('type', models.CharField(max_length=32)),
                ('name', models.CharField(max_length=64)),
                ('attempts', models.BigIntegerField()),
            ],
            options={
                'indexes': [models.Index(fields=['hour'], name='errorcount_age_idx')],
                'constraints': [models.UniqueConstraint(fields=('org_id', 'fingerprint', 'hour', 'queue', 'type', 'name'), name='errorcount_uniq')],
            },
        ),
        migrations.RunSQL(STORAGE, migrations.RunSQL.noop),
        migrations.RunSQL(FUNCTIONS, AWAY),
    ]
