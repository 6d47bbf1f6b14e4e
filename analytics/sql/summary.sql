-- The newest ended attempts of an organisation, up to a bound, in figures: all together (type is NULL) and by type.
-- The wait is that of attempts whose job has not been queued again since. (statement_timestamp(), for by a volatile
-- clock the index could not be entered: an organisation long at rest would have all its attempts read.)
WITH newest AS MATERIALIZED (
    SELECT job_id, number, type, outcome, started_at, ended_at, runtime_ms, predicted_ms
    FROM jobs_attempt
    WHERE org_id = %(org_id)s AND ended_at > statement_timestamp() - make_interval(hours => %(hours)s)
      AND outcome IN ('done', 'error', 'timeout', 'crashed', 'lost')
    ORDER BY ended_at DESC
    LIMIT %(bound)s
), told AS (
    SELECT newest.*,
           CASE WHEN job.attempt = newest.number AND job.queued_at <= newest.started_at
                THEN extract(epoch FROM newest.started_at - job.queued_at)::float8 END AS wait_seconds
    -- LIMIT: by the primary key row by row, never by a scan of all jobs
    FROM newest LEFT JOIN LATERAL (
        SELECT attempt, queued_at FROM jobs_job WHERE id = newest.job_id LIMIT 1) AS job ON true
)
SELECT type, count(*) AS attempts, count(*) FILTER (WHERE outcome = 'done') AS done,
       count(*) FILTER (WHERE ended_at > statement_timestamp() - interval '1 hour') AS last_hour,
       min(ended_at) AS since,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY predicted_ms) FILTER (WHERE outcome = 'done') AS predicted_ms,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY runtime_ms) FILTER (WHERE outcome = 'done') AS actual_ms,
       percentile_cont(0.95) WITHIN GROUP (ORDER BY runtime_ms) FILTER (WHERE outcome = 'done') AS run_p95_ms,
       avg(wait_seconds)::float8 AS wait_mean_seconds,
       percentile_cont(0.95) WITHIN GROUP (ORDER BY wait_seconds) AS wait_p95_seconds
FROM told
GROUP BY GROUPING SETS ((), (type))
ORDER BY type NULLS FIRST
