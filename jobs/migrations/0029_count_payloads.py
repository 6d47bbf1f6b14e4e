"""What 0028 is for is kept by the trigger that counts moves, whichever version of the code makes the move.

Jobs from before are not counted, neither as they are now nor when they end: their sum would be read under a lock that
holds up everybody. A job is from before by its created_at, in both places, so that what is added is what is taken; in
between are two minutes, for statements that began with the function of before. An empty table counts from the beginning.
"""

from django.db import migrations

COUNT_MOVES = """
DO $install$
DECLARE
    since timestamptz := CASE WHEN EXISTS (SELECT FROM jobs_job)
                              THEN clock_timestamp() + interval '2 minutes' ELSE '-infinity' END;
BEGIN
EXECUTE format($function$
CREATE OR REPLACE FUNCTION jobs_count_moves() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- Inserted, never updated: statements that move jobs do not queue up behind one counter row.
    INSERT INTO jobs_statusdelta (org_id, queue, status, jobs)
    SELECT org_id, queue, status, sum(change)
    FROM (SELECT org_id, queue, to_status AS status, 1 AS change FROM moves
          UNION ALL
          SELECT org_id, queue, from_status, -1 FROM moves WHERE from_status IS NOT NULL) AS changes
    GROUP BY org_id, queue, status
    HAVING sum(change) <> 0;
    -- Of jobs that begin and that end; each is looked up by its id, whatever the planner thinks of the table.
    INSERT INTO jobs_payloaddelta (org_id, payload_bytes)
    SELECT org_id, sum(change * bytes)
    FROM (SELECT org_id, CASE WHEN to_status IN ('done', 'failed', 'cancelled') THEN -1 ELSE 1 END AS change,
                 (SELECT payload_bytes FROM jobs_job WHERE id = job_id AND created_at >= %L) AS bytes
          FROM moves
          WHERE from_status IS NULL OR from_status = 'failed' OR to_status IN ('done', 'failed', 'cancelled')) AS changes
    GROUP BY org_id
    HAVING sum(change * bytes) <> 0;
    RETURN NULL;
END $$
$function$, since);
END $install$;
"""
BEFORE = """
CREATE OR REPLACE FUNCTION jobs_count_moves() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO jobs_statusdelta (org_id, queue, status, jobs)
    SELECT org_id, queue, status, sum(change)
    FROM (SELECT org_id, queue, to_status AS status, 1 AS change FROM moves
          UNION ALL
          SELECT org_id, queue, from_status, -1 FROM moves WHERE from_status IS NOT NULL) AS changes
    GROUP BY org_id, queue, status
    HAVING sum(change) <> 0;
    RETURN NULL;
END $$;
"""


class Migration(migrations.Migration):
    dependencies = [("jobs", "0028_payload_bytes")]

    operations = [migrations.RunSQL(COUNT_MOVES, BEFORE)]
