-- Delete a bounded batch of jobs that ended long ago, with all that hangs on them, and count them out.
WITH old AS MATERIALIZED (
    SELECT id, org_id, queue, status FROM jobs_job
    WHERE (
            (status IN ('done', 'cancelled') AND finished_at < clock_timestamp() - make_interval(days => %(days)s))
            OR (status = 'failed' AND finished_at < clock_timestamp() - make_interval(days => %(dead_letter_days)s))
        )
      -- ids are in order of creation (UUIDv7): read the primary key from its old end, and no further than a day past
      AND id < (lpad(to_hex((extract(epoch FROM clock_timestamp() - make_interval(days => %(days)s - 1)) * 1000)::bigint),
                     12, '0') || repeat('0', 20))::uuid
    ORDER BY id
    LIMIT %(batch)s
    FOR UPDATE SKIP LOCKED
), attempts AS (
    DELETE FROM jobs_attempt USING old WHERE jobs_attempt.job_id = old.id
), lines AS (
    DELETE FROM jobs_logline USING old WHERE jobs_logline.job_id = old.id
), moves AS (
    DELETE FROM jobs_transition USING old WHERE jobs_transition.job_id = old.id
), files AS (
    DELETE FROM jobs_artefact USING old WHERE jobs_artefact.job_id = old.id RETURNING file
), counted AS (
    INSERT INTO jobs_statusdelta (org_id, queue, status, jobs)
    SELECT org_id, queue, status, -count(*) FROM old GROUP BY org_id, queue, status
), gone AS (
    DELETE FROM jobs_job USING old WHERE jobs_job.id = old.id RETURNING jobs_job.id
)
SELECT (SELECT count(*) FROM gone) AS jobs, coalesce((SELECT array_agg(file) FROM files), '{}') AS files
