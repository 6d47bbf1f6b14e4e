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
), {{gone}}
SELECT (SELECT count(*) FROM gone) AS jobs,
       coalesce((SELECT array_agg(file) FROM files), '{}') AS files,
       -- null at the end of the sweep
       (SELECT id FROM scanned ORDER BY id OFFSET %(batch)s - 1 LIMIT 1) AS last
