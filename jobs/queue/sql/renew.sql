-- Renew every lease of this worker that it still works on: one statement. What is missing in the answer is lost.
WITH mine AS MATERIALIZED (
    SELECT job_id FROM jobs_lease
    WHERE worker_id = %(worker_id)s AND token = ANY(%(tokens)s) AND expires_at > clock_timestamp()
    -- a batch of ends locks in this order too
    ORDER BY job_id
    FOR UPDATE
)
UPDATE jobs_lease AS lease
SET renewed_at = clock_timestamp(),
    expires_at = clock_timestamp() + make_interval(secs => %(lease_seconds)s)
FROM mine
WHERE lease.job_id = mine.job_id
RETURNING lease.token, lease.cancel_requested
