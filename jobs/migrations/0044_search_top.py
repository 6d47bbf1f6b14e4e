"""What the newest jobs are that a list finds by their words, and about how many, with one question."""

from django.db import migrations

# Of the same kind as those of 0042: see there. Where the planner takes it for far more than are counted, it says so and
# looks for none.
TOP = """
DO $do$ BEGIN EXECUTE format($format$
CREATE FUNCTION jobs_search_top(
    org bigint, wanted tsquery, after uuid, before uuid, most int, skip_above float8, floor_id uuid, below uuid, few int,
    OUT estimate float8, OUT number int, OUT settled int, OUT first_ids uuid[], OUT all_ids text
)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, %I, pg_temp SET enable_indexscan = off SET enable_seqscan = off
SET plan_cache_mode = force_custom_plan SET work_mem = '32MB' SET jit = off
AS $body$
DECLARE
    plan json;
BEGIN
    IF current_setting('role') <> 'none' AND org IS DISTINCT FROM nullif(current_setting('app.org', true), '')::bigint THEN
        RETURN;
    END IF;
    EXECUTE format('EXPLAIN (FORMAT JSON) SELECT FROM jobs_searchentry WHERE words @@ %%L AND job_id > %%L AND job_id < %%L',
                   wanted, after, before) INTO plan;
    estimate := (plan -> 0 -> 'Plan' ->> 'Plan Rows')::float8;
    IF estimate > skip_above THEN
        RETURN;
    END IF;
    SELECT count(*), count(*) FILTER (WHERE job_id < floor_id),
           (array_agg(job_id ORDER BY job_id DESC) FILTER (WHERE job_id < below))[1:few], array_agg(job_id)::text
    INTO number, settled, first_ids, all_ids
    FROM (SELECT job_id FROM jobs_searchentry
          WHERE words @@ wanted AND org_id = org AND job_id > after AND job_id < before
          ORDER BY job_id DESC LIMIT most) AS found;
END
$body$;
$format$, current_schema()); END $do$
"""
BACK = "DROP FUNCTION jobs_search_top(bigint, tsquery, uuid, uuid, int, float8, uuid, uuid, int)"


class Migration(migrations.Migration):
    dependencies = [("jobs", "0043_views")]

    operations = [migrations.RunSQL(TOP, BACK)]
