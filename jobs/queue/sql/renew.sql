-- Renew every lease of this worker that it still works on: one statement. What is missing in the answer is lost.
UPDATE jobs_lease
SET renewed_at = clock_timestamp(),
    expires_at = clock_timestamp() + make_interval(secs => %(lease_seconds)s)
WHERE worker_id = %(worker_id)s AND token = ANY(%(tokens)s) AND expires_at > clock_timestamp()
RETURNING token, cancel_requested
