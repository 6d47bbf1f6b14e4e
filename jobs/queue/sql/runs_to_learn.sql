-- The newest runs of an organisation that came to an end, oldest submit first, with what was known at each submit.
WITH newest AS MATERIALIZED (
    SELECT job_id, number, type, name, ended_at, runtime_ms, outcome
    FROM jobs_attempt
    WHERE org_id = %(org_id)s AND outcome IN ('done', 'error', 'timeout')
    ORDER BY ended_at DESC
    LIMIT %(bound)s
)
SELECT job.created_at AS submitted_at, newest.ended_at, newest.type, newest.name,
       coalesce(person.username, '') AS username, job.payload_bytes, newest.runtime_ms,
       newest.outcome <> 'done' AS failed,
       nullif(job.timeout_seconds, %(usual_timeout)s) * 1000::float8 AS requested_ms
FROM newest
JOIN jobs_job AS job ON job.id = newest.job_id AND job.org_id = %(org_id)s
LEFT JOIN orgs_user AS person ON person.id = job.created_by_id
ORDER BY job.created_at, job.id, newest.number
