-- Delete those of these jobs that have ended, with all that hangs on them, counted out as by prune.sql. Those that wait
-- for the end of one have yet to hear of it: it stays.
WITH old AS MATERIALIZED (
    SELECT id, org_id, queue, status FROM jobs_job
    WHERE id = ANY(%(job_ids)s) AND org_id = %(org_id)s AND status IN ('done', 'failed', 'cancelled')
      AND NOT (has_dependents AND EXISTS (SELECT FROM jobs_dependency WHERE parent_id = jobs_job.id))
    ORDER BY id
    FOR UPDATE
), {{gone}}
SELECT old.id AS job_id, old.status, coalesce((SELECT array_agg(file) FROM files), '{}') AS files FROM old
