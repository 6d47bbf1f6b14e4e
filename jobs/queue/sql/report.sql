-- Keep the lines and the progress of running attempts, while they hold their leases. Both are by the token of the lease:
-- see finish.sql.
WITH progressed AS (
    UPDATE jobs_lease AS lease
    SET progress = (%(progress)s::jsonb -> lease.token::text ->> 'progress')::float8,
        progress_message = %(progress)s::jsonb -> lease.token::text ->> 'progress_message'
    WHERE %(progress)s::jsonb ? lease.token::text
)
INSERT INTO jobs_logline (job_id, attempt, sequence, stream, text, at)
SELECT lease.job_id, lease.attempt, line.sequence, line.stream, line.text,
       clock_timestamp() - make_interval(secs => line.age_seconds)
FROM jobs_lease AS lease
CROSS JOIN LATERAL jsonb_to_recordset(%(lines)s::jsonb -> lease.token::text) AS line (
    sequence int, stream text, text text, age_seconds float8
)
WHERE %(lines)s::jsonb ? lease.token::text
ON CONFLICT (job_id, attempt, sequence) DO NOTHING
