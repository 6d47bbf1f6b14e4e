-- The last jobs of an organisation that a worker tried, the newest first: among the newest attempts of the organisation,
-- so that attempts need no index by worker.
WITH newest AS MATERIALIZED (
    SELECT job_id, number, type, name, outcome, runtime_ms, ended_at, worker_id FROM jobs_attempt
    WHERE org_id = %(org_id)s::bigint
    ORDER BY ended_at DESC
    LIMIT %(bound)s
), tried AS MATERIALIZED (
    SELECT * FROM newest WHERE worker_id = %(worker_id)s::uuid ORDER BY ended_at DESC LIMIT %(most)s
)
SELECT tried.job_id, tried.number, tried.type, tried.outcome, tried.runtime_ms, tried.ended_at,
       coalesce((SELECT coalesce(nullif(job.title, ''), job.name) FROM jobs_job AS job WHERE job.id = tried.job_id),
                tried.name) AS title
FROM tried
ORDER BY tried.ended_at DESC
