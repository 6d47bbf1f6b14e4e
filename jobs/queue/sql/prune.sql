-- Look at the next %(batch)s jobs in order of age, and delete those that ended long ago with all that hangs on them,
-- counting them out. What must stay is passed, and passed only once a sweep.
WITH scanned AS MATERIALIZED (
    SELECT id FROM jobs_job
    WHERE id > %(after)s
      -- ids are in order of creation (UUIDv7), by the clock of the host that made them: a day's difference is allowed
      AND id < (lpad(to_hex((extract(epoch FROM statement_timestamp()
                    - make_interval(days => least(%(days)s, %(dead_letter_days)s) - 1)) * 1000)::bigint),
                     12, '0') || repeat('0', 20))::uuid
    ORDER BY id
    LIMIT %(batch)s
), old AS MATERIALIZED (
    SELECT id, org_id, queue, status FROM jobs_job
    WHERE id = ANY (ARRAY(SELECT id FROM scanned))
      AND (
          (status IN ('done', 'cancelled') AND finished_at < clock_timestamp() - make_interval(days => %(days)s))
          OR (status = 'failed' AND finished_at < clock_timestamp() - make_interval(days => %(dead_letter_days)s))
      )
      -- those that wait for its end have yet to hear of it
      AND NOT (has_dependents AND EXISTS (SELECT FROM jobs_dependency WHERE parent_id = jobs_job.id))
    FOR UPDATE SKIP LOCKED
), ids AS MATERIALIZED (
    SELECT array_agg(id) AS old FROM old
), attempts AS (
    DELETE FROM jobs_attempt WHERE job_id = ANY ((SELECT old FROM ids)::uuid[])
), lines AS (
    DELETE FROM jobs_logline WHERE job_id = ANY ((SELECT old FROM ids)::uuid[])
), moves AS (
    DELETE FROM jobs_transition WHERE job_id = ANY ((SELECT old FROM ids)::uuid[])
), files AS (
    DELETE FROM jobs_artefact WHERE job_id = ANY ((SELECT old FROM ids)::uuid[]) RETURNING file
), unread AS (
    DELETE FROM jobs_toclassify WHERE job_id = ANY ((SELECT old FROM ids)::uuid[])
), links AS (
    DELETE FROM jobs_dependency WHERE child_id = ANY ((SELECT old FROM ids)::uuid[])
), counted AS (
    INSERT INTO jobs_statusdelta (org_id, queue, status, jobs)
    SELECT org_id, queue, status, -count(*) FROM old GROUP BY org_id, queue, status
), gone AS (
    DELETE FROM jobs_job WHERE id = ANY ((SELECT old FROM ids)::uuid[]) RETURNING id
)
SELECT (SELECT count(*) FROM gone) AS jobs,
       coalesce((SELECT array_agg(file) FROM files), '{}') AS files,
       -- null at the end of the sweep
       (SELECT id FROM scanned ORDER BY id OFFSET %(batch)s - 1 LIMIT 1) AS last
